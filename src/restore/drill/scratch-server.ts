import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import { outlivedByNone } from '../../lib/own-child.ts';
import { exitOf, tailOf } from '../../lib/subprocess.ts';
import { connect, type PgConnection } from '../../postgres/client.ts';
import type { ConnInfo } from '../../postgres/conninfo.ts';
import type { Owner } from '../settle-tree.job.ts';
import { scratchPort, scratchSettings } from './scratch-settings.ts';

export interface ScratchServerPlan {
  /** `postgres`, by path. */
  readonly program: string;
  readonly major: number;
  readonly dataDirectory: string;
  /** For its settings files; others may not need to read them. */
  readonly directory: string;
  /** Who it runs as; undefined: as we do. */
  readonly owner: Owner | undefined;
  /** A superuser of the cluster. */
  readonly user: string;
}

const askAgainMs = 250;
const stopMsMax = 60_000;
const trustEverybodyHere = 'local all all trust\n';

/** A PostgreSQL on a restored directory, on a socket that only its user and root reach. It dies with us. */
export class ScratchServer implements AsyncDisposable {
  readonly #plan: ScratchServerPlan;
  readonly #socketDirectory: string;
  readonly #child: ChildProcess;
  readonly #exit: ReturnType<typeof exitOf>;
  readonly #tail: () => string;
  #hasEnded = false;

  /** Begins to recover. */
  static async start(plan: ScratchServerPlan): Promise<ScratchServer> {
    // The path of a socket must be short.
    const socketDirectory = await mkdtemp(join(tmpdir(), 'pghoard-drill-'));
    try {
      if (plan.owner) await chown(socketDirectory, plan.owner.uid, plan.owner.gid);
      const files = { 'postgresql.conf': '', 'pg_hba.conf': trustEverybodyHere, 'pg_ident.conf': '' };
      for (const [name, text] of Object.entries(files)) await writeFile(join(plan.directory, name), text, { mode: 0o644 });
      return new ScratchServer(plan, socketDirectory, await launch(plan, socketDirectory));
    } catch (error) {
      await rm(socketDirectory, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(plan: ScratchServerPlan, socketDirectory: string, child: ChildProcess) {
    this.#plan = plan;
    this.#socketDirectory = socketDirectory;
    this.#child = child;
    this.#tail = tailOf(child);
    this.#exit = exitOf(child, plan.program);
    const ended = () => void (this.#hasEnded = true);
    this.#exit.then(ended, ended);
  }

  /** For programs that look at it. */
  conninfo(database: string): ConnInfo {
    return { host: this.#socketDirectory, port: String(scratchPort), user: this.#plan.user, dbname: database, sslmode: 'disable' };
  }

  /** Resolves once recovery has come to its target. Rejects with `drill-failed` where it ends without. */
  async recovered(clock: Clock, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#hasEnded) throw await this.#endedEarly();
      try {
        await using _connection = await this.connect('template1', signal);
        return;
      } catch (error) {
        if (!isOperatorError(error, 'postgres-unreachable', 'postgres-refused')) throw error;
      }
      await clock.sleep(askAgainMs, signal).catch(() => {});
    }
  }

  connect(database: string, signal: AbortSignal): Promise<PgConnection> {
    return connect(this.conninfo(database), { applicationName: 'pghoard drill', signal, env: {} });
  }

  /** Shuts it down in order. Rejects with `drill-failed` where it does not come to that. */
  async stop(): Promise<void> {
    this.#child.kill('SIGINT');
    if (!(await this.#endsWithin(stopMsMax))) throw new OperatorError('drill-failed', 'the restored server does not shut down');
    const { code } = await this.#exit;
    if (code !== 0) throw await this.#endedEarly();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGQUIT');
    if (!(await this.#endsWithin(stopMsMax))) this.#child.kill('SIGKILL');
    await this.#exit.catch(() => {});
    await rm(this.#socketDirectory, { recursive: true, force: true });
  }

  async #endsWithin(ms: number): Promise<boolean> {
    const tooLong = new AbortController();
    const timer = setTimeout(() => tooLong.abort(), ms);
    await Promise.race([this.#exit.catch(() => {}), once(tooLong.signal, 'abort')]);
    clearTimeout(timer);
    return this.#hasEnded;
  }

  async #endedEarly(): Promise<OperatorError> {
    const { code, signal } = await this.#exit;
    const how = code === null ? String(signal) : `exit code ${code}`;
    return new OperatorError('drill-failed', `the restored server ended with ${how}`, { cause: new Error(lastWords(this.#tail())) });
  }
}

async function launch(
  { program, major, dataDirectory, directory, owner }: ScratchServerPlan,
  socketDirectory: string,
): Promise<ChildProcess> {
  const settings = [...scratchSettings({ directory, socketDirectory }, major)].flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [file, ...args] = await outlivedByNone([program, '-D', dataDirectory, ...settings], 'QUIT');
  const env = { PATH: process.env['PATH'], TZ: process.env['TZ'], LC_ALL: 'C' };
  return spawn(file, args, { env, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'], ...(owner && { uid: owner.uid, gid: owner.gid }) });
}

/** What PostgreSQL gives as its reason, else the last lines. */
function lastWords(log: string): string {
  const lines = log.split('\n');
  const reasons = lines.filter((line) => /^(FATAL|PANIC):/.test(line));
  return (reasons.length > 0 ? reasons : lines).slice(-3).join('; ');
}
