import { join } from 'node:path';
import type { TestPostgres } from '../../test/support/postgres.ts';
import { archiveWith } from '../cluster.ts';
import type { Contestant } from '../contestant.ts';
import { bytesBelow } from '../files.ts';
import type { Table } from '../results/tables.ts';
import { archiveBacklog, backlog } from '../works/wal.ts';
import { type Ceilings, measureCeilings } from './ceilings.ts';
import { difference, threadSeconds } from './thread-times.ts';

/** Where the processor time of one work of ours goes: seconds for each GiB of plaintext. */
export interface Profile {
  readonly work: string;
  readonly flavour: string;
  /** By step of the jobs; `rest` is what is no native step. */
  readonly steps: Readonly<Record<string, number>>;
  readonly ceilings: Ceilings;
  /** By kind of thread of the daemon: `codec` did the steps, `main` and `libuv-worker` put the objects in the store and conduct. */
  readonly threads: Readonly<Record<string, number>>;
}

export interface ProfileArena {
  readonly postgres: TestPostgres;
  /** Ours, with steps that are measured: for each flavour. */
  readonly contestants: readonly Contestant[];
  readonly scratch: string;
  readonly segments: number;
}

const gibibyte = 2 ** 30;
const segmentBytes = 16 * 2 ** 20;

export async function measureProfiles(arena: ProfileArena): Promise<Profile[]> {
  const profiles: Profile[] = [];
  for (const contestant of arena.contestants) {
    await contestant.backup(); // its threads start, and what it runs is compiled
    profiles.push(await profileBackup(arena, contestant));
    if (contestant.flavour.isEncrypted) profiles.push(await profileWal(arena, contestant));
  }
  return profiles;
}

async function profileBackup({ postgres, scratch }: ProfileArena, contestant: Contestant): Promise<Profile> {
  const directories = ['base', 'global'].map((name) => join(postgres.dataDirectory, name));
  const sizes = await Promise.all(directories.map(bytesBelow));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  await archiveWith(postgres, 'true');
  const spent = await watch(contestant, bytes, () => contestant.backup());
  const hash = { of: 'sealed', algorithm: 'sha256' } as const;
  const ceilings = await measureCeilings({ paths: directories, bytes, flavour: contestant.flavour, hash, scratch });
  return { work: 'base backup', flavour: contestant.flavour.name, ceilings, ...spent };
}

async function profileWal({ postgres, segments, scratch }: ProfileArena, contestant: Contestant): Promise<Profile> {
  const warmUp = await backlog(postgres, segments);
  await archiveBacklog(postgres, contestant, warmUp);
  const names = await backlog(postgres, segments);
  const bytes = names.length * segmentBytes;
  const spent = await watch(contestant, bytes, async () => void (await archiveBacklog(postgres, contestant, names)));
  const paths = names.map((name) => join(postgres.dataDirectory, 'pg_wal', name));
  const hash = { of: 'plain', algorithm: 'sha1' } as const;
  const ceilings = await measureCeilings({ paths, bytes, flavour: contestant.flavour, hash, scratch });
  return { work: 'archive a backlog', flavour: contestant.flavour.name, ceilings, ...spent };
}

async function watch(contestant: Contestant, bytes: number, work: () => Promise<void>): Promise<Pick<Profile, 'steps' | 'threads'>> {
  const { steps = async () => ({}), pids } = contestant;
  const [pid = 0] = pids;
  const [stepsBefore, threadsBefore] = [await steps(), threadSeconds(pid)];
  await work();
  const per = (seconds: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(seconds).map(([key, value]) => [key, (value * gibibyte) / bytes]));
  const threads = per(difference(threadSeconds(pid), threadsBefore));
  return { steps: per(difference(await steps(), stepsBefore)), threads };
}

const stepNames = ['read', 'rest', 'compress', 'encrypt', 'hash', 'write', 'fsync'] as const;

/** By step, beside what its native code takes alone. */
export function stepTable(profiles: readonly Profile[]): Table {
  const lines = profiles.flatMap(({ work, flavour, steps, ceilings }) =>
    stepNames
      .filter((step) => (steps[step] ?? 0) > 0)
      .map((step) => {
        const seconds = steps[step] ?? 0;
        const ceiling = step === 'fsync' ? undefined : ceilings[step];
        const ratio = ceiling === undefined || ceiling === 0 ? '' : (seconds / ceiling).toFixed(2);
        const name = step === 'rest' ? 'tar and the rest' : step;
        return [work, flavour, name, perGibibyte(seconds), ceiling === undefined ? '' : perGibibyte(ceiling), ratio];
      }),
  );
  return { texts: 3, head: ['work', 'packed', 'step', 'CPU per GiB', 'alone', 'ratio'], lines };
}

/** By kind of thread. */
export function threadTable(profiles: readonly Profile[]): Table {
  const lines = profiles.flatMap(({ work, flavour, threads }) =>
    Object.entries(threads)
      .filter(([, seconds]) => seconds > 0)
      .map(([kind, seconds]) => [work, flavour, kind, perGibibyte(seconds)]),
  );
  return { texts: 3, head: ['work', 'packed', 'threads', 'CPU per GiB'], lines };
}

function perGibibyte(seconds: number): string {
  return `${seconds.toFixed(2)} s`;
}
