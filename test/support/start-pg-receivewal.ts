import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestPostgres } from './postgres.ts';
import { clientProgram } from './postgres-programs.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';
import { waitFor } from './wait-for.ts';

/** A pg_receivewal that is not ours, connected through a slot. */
export async function startPgReceivewal(postgres: TestPostgres, slot: string): Promise<AsyncDisposable & Pick<ChildProcess, 'exitCode'>> {
  const scratch = await makeTemporaryDirectory();
  const program = await clientProgram('pg_receivewal', '15');
  const flags = ['--directory', scratch.path, '--slot', slot, '--dbname', postgres.dsn, '--no-loop'];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...flags], { stdio: 'ignore' });
  const isActive = async () =>
    (await postgres.query('SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active', [slot])).length === 1;
  await waitFor(isActive, { withinMs: 30_000, what: `the slot ${slot} is in use` });
  return {
    get exitCode() {
      return child.exitCode;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await scratch[Symbol.asyncDispose]();
    },
  };
}
