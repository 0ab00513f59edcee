import { readFileSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseBackupLabel } from '../../src/postgres/backup-label.ts';
import { formatLsn } from '../../src/postgres/lsn.ts';
import { defaultSegmentBytes, startLsnOf } from '../../src/postgres/wal-name.ts';
import { TestPostgres } from '../../test/support/postgres.ts';
import { descendantsOf } from '../../test/support/process-tree.ts';
import { systemUser } from '../../test/support/system-user.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { archiveWith } from '../cluster.ts';
import type { Contestant } from '../contestant.ts';
import { makeOwn } from '../files.ts';
import type { Flavour } from '../flavour.ts';
import { type Cost, measure } from '../meter/meter.ts';
import { commandLineOf } from '../meter/processes.ts';
import { recoverWork } from '../results/recovery-table.ts';
import type { Recorder } from '../results/sample.ts';
import { run } from '../run.ts';
import { inTurn } from './in-turn.ts';
import { archiveBacklog, backlog } from './wal.ts';

export interface RecoveryArena {
  readonly postgres: TestPostgres;
  readonly archivers: readonly Contestant[];
  /** To be recovered at least. */
  readonly segments: number;
  readonly rounds: number;
  /** Where the cluster is copied to. */
  readonly scratch: string;
}

/** What all tools recover from: the files of the cluster, and the names of the WAL behind them, which every tool has stored. */
interface Beginning {
  readonly base: string;
  readonly names: readonly string[];
}

interface Replay extends Cost {
  readonly busyShare: number;
}

/** What brings WAL back. */
type Bringer = Pick<Contestant, 'name' | 'flavour' | 'pids' | 'mark' | 'commands'>;

const patienceMs = 600_000;
const watchMs = 5;
/** In the data directory: recovery may begin. */
const goFile = 'recovery-may-begin';

/** PostgreSQL recovers from a base backup with the restore_command of each tool: how soon it has replayed so many segments, and how long it waited for them. */
export async function measureRecoveries(arena: RecoveryArena, record: Recorder): Promise<void> {
  const { postgres, archivers, rounds } = arena;
  if (archivers.length === 0) return;
  const beginning = await begin(arena);
  for (const tool of archivers) await archiveBacklog(postgres, tool, beginning.names);
  const bringers = [...archivers, ...archivers.slice(0, 1).map(({ flavour }) => copyFrom(postgres, flavour))];
  for (let round = 0; round < rounds; round++) {
    for (const tool of inTurn(bringers, round)) {
      const common = { what: recoverWork, flavour: tool.flavour.name, cache: 'warm', tool: tool.name, round } as const;
      record({ ...common, units: beginning.names.length - 1, ...(await recover(arena, tool, beginning)) });
    }
  }
}

/** The floor: the very files, which the cluster still has, and nothing else. */
function copyFrom({ dataDirectory }: TestPostgres, flavour: Flavour): Bringer {
  const from = join(dataDirectory, 'pg_wal');
  const command = { name: 'cp', archive: () => 'true', restore: (name: string, output: string) => `cp ${from}/${name} ${output}` };
  return { name: 'cp', flavour, pids: [], mark: `${from}/`, commands: [command] };
}

async function begin({ postgres, segments, scratch }: RecoveryArena): Promise<Beginning> {
  const home = await makeOwn(join(scratch, 'recovery'));
  const base = join(home, 'base');
  await archiveWith(postgres, 'true'); // a backup without WAL ends when its WAL is archived
  const flags = ['--checkpoint=fast', '--wal-method=none', '--no-manifest', '--no-sync'];
  await run(join(postgres.bin, 'pg_basebackup'), ['--pgdata', base, '--dbname', postgres.dsn, ...flags], {
    ...systemUser(),
    cwd: home,
  });
  const { startWalSegment } = parseBackupLabel(await readFile(join(base, 'backup_label'), 'utf8'), { startTimeFallback: new Date(0) });
  const last = (await backlog(postgres, segments)).at(-1) ?? '';
  const all = await readdir(join(postgres.dataDirectory, 'pg_wal'));
  return { base, names: all.filter((name) => /^[0-9A-F]{24}$/.test(name) && name >= startWalSegment && name <= last).toSorted() };
}

/** Until the startup process comes to the last segment; it may read no WAL before it is told to. */
async function recover(arena: RecoveryArena, tool: Bringer, { base, names }: Beginning): Promise<Replay> {
  const target = join(arena.scratch, 'recovery', 'recovered');
  const command = tool.commands?.[0]?.restore('%f', '%p', target) ?? 'false';
  try {
    await run('cp', ['-a', base, target]);
    await writeFile(join(target, 'standby.signal'), ''); // what is not there is asked for again, and nothing is promoted
    await using recovering = await TestPostgres.startOn(
      target,
      {
        archive_mode: 'off',
        hot_standby: 'off',
        restore_command: `test -e ${goFile} && exec ${command}`,
        wal_retrieve_retry_interval: '20ms',
        recovery_target_lsn: formatLsn(startLsnOf(names.at(-1) ?? '', defaultSegmentBytes)),
        recovery_target_action: 'shutdown',
      },
      { version: '15', waitForRecovery: false },
    );
    const startup = await startupProcessOf(recovering);
    const watch = new StartupWatch(startup);
    const cost = await measure({ pids: tool.pids, starters: [startup], mark: tool.mark }, async () => {
      await writeFile(join(target, goFile), '');
      await waitFor(() => !watch.look(), { withinMs: patienceMs, everyMs: watchMs, what: () => `recovery ends:\n${recovering.log()}` });
    });
    const log = await recovering.ended();
    if (!log.includes('recovery stopping')) throw new Error(`${tool.name} did not bring all WAL:\n${log.slice(-3000)}`);
    return { ...cost, busyShare: watch.busyShare };
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}

async function startupProcessOf(postgres: TestPostgres): Promise<number> {
  const find = () => descendantsOf(postgres.pid ?? 0).find((pid) => commandLineOf(pid).startsWith('postgres: startup'));
  return waitFor(find, { withinMs: patienceMs, what: () => `the startup process is there:\n${postgres.log()}` });
}

/** Looks again and again what the startup process does. */
class StartupWatch {
  readonly #pid: number;
  #looks = 0;
  #waiting = 0;

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** In how many of the looks it did something else than to wait for its restore_command, which is the only child that it ever has. */
  get busyShare(): number {
    return 1 - this.#waiting / this.#looks;
  }

  /** False: it has ended. */
  look(): boolean {
    try {
      const children = readFileSync(`/proc/${this.#pid}/task/${this.#pid}/children`, 'utf8');
      this.#looks++;
      if (children !== '') this.#waiting++;
      return true;
    } catch {
      return false;
    }
  }
}
