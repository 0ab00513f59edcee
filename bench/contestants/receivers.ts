import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Processes } from '../../scripts/demo/processes.ts';
import { systemUser } from '../../test/support/system-user.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import type { Arena } from '../contestant.ts';
import type { Flavour } from '../flavour.ts';
import { run } from '../run.ts';
import { startDaemon } from './pghoard.ts';

/** Something that receives WAL as it is written. */
export interface Receiver {
  readonly name: string;
  readonly flavour: Flavour;
  /** Resolves once it receives. */
  start(): Promise<RunningReceiver>;
}

export interface RunningReceiver extends AsyncDisposable {
  readonly pid: number;
  readonly mark: string;
  /** Whether the segment is where it is kept. */
  has(segment: string): boolean;
}

/** Ours: what was received is compressed, encrypted and stored, too. */
export function pghoardReceiver(mode: 'walreceiver' | 'pg_receivexlog', arena: Arena): Receiver {
  const slot = `pghoard_${mode}`;
  const { dsn, bin } = arena.postgres;
  // The home directory of who runs the bench, where certificates would be looked for, may be closed to the user of PostgreSQL.
  const node = { connection_string: `${dsn}?sslmode=disable`, slot };
  const settings = { active_backup_mode: mode, nodes: [node], pg_bin_directory: bin };
  return {
    name: `pghoard ${mode}`,
    flavour: arena.flavour,
    start: async () => {
      const directory = await freshDirectory(arena);
      await makeSlot(arena, slot);
      const daemon = await startDaemon({ ...arena, directory }, settings);
      await receives(arena, slot);
      return {
        pid: daemon.pid,
        mark: directory,
        has: (segment) => existsSync(join(daemon.storedWal, `${segment}.metadata`)),
        [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
      };
    },
  };
}

/** PostgreSQL's own: no encryption. */
export function pgReceivewal(arena: Arena): Receiver {
  const slot = 'pg_receivewal';
  const { postgres } = arena;
  return {
    name: slot,
    flavour: arena.flavour,
    start: async () => {
      const directory = await freshDirectory(arena);
      await makeSlot(arena, slot);
      const processes = new Processes();
      const flags = ['--directory', directory, '--dbname', postgres.dsn, '--slot', slot, '--compress=lz4', '--no-loop'];
      const pid = processes.start({
        name: slot,
        command: [join(postgres.bin, 'pg_receivewal'), ...flags],
        logFile: `${directory}.log`,
        cwd: directory,
        stopSignal: 'SIGINT',
        user: systemUser(),
      });
      await receives(arena, slot);
      return {
        pid,
        mark: directory,
        has: (segment) => existsSync(join(directory, `${segment}.lz4`)),
        [Symbol.asyncDispose]: () => processes[Symbol.asyncDispose](),
      };
    },
  };
}

/** So that each begins with nothing. */
async function freshDirectory({ directory }: Arena): Promise<string> {
  const { uid, gid } = systemUser();
  const fresh = join(directory, String((await readdir(directory)).length));
  await run('install', ['-d', '-m', '700', '-o', String(uid), '-g', String(gid), fresh]);
  return fresh;
}

/** It begins here, even if there has been one of this name. */
async function makeSlot({ postgres }: Arena, slot: string): Promise<void> {
  await postgres.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1', [slot]);
  await postgres.query('SELECT pg_create_physical_replication_slot($1, true)', [slot]);
}

async function receives({ postgres }: Arena, slot: string): Promise<void> {
  const isActive = async () => {
    const [row] = await postgres.query(
      `SELECT s.active, r.state FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid WHERE slot_name = $1`,
      [slot],
    );
    return row?.['state'] === 'streaming';
  };
  await waitFor(isActive, { withinMs: 60_000, what: `${slot} receives` });
}
