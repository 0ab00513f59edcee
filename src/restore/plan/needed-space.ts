import { stat, statfs } from 'node:fs/promises';
import { existingAncestor } from '../check-directories.ts';
import type { Layout } from '../layout.ts';
import type { Share } from './read-spread.job.ts';
import type { RestorePlanDocument } from './restore-plan-document.ts';

type Directory = RestorePlanDocument['directories'][number];

export interface SpaceWork {
  readonly layout: Layout;
  /** Undefined: not known. */
  readonly plainBytes: number | undefined;
  /** Of each tablespace; undefined: the base backup does not tell. */
  readonly shares: readonly Share[] | undefined;
  readonly walBytes: number;
  readonly segmentBytes: number;
  /** The plan is for this host: its directories are looked at. */
  readonly isHere: boolean;
}

/** Recovery always needs this many segments, whatever it removes. */
const segmentsMin = 3;

/**
 * What will lie in each directory, beside what is free there. PostgreSQL keeps WAL that it has replayed until its next restartpoint: mostly about `max_wal_size`, and
 * never more than there is.
 */
export async function neededSpace({
  layout,
  plainBytes,
  shares,
  walBytes,
  segmentBytes,
  isHere,
}: SpaceWork): Promise<readonly Directory[]> {
  const { dataDirectory, tablespaces } = layout;
  const place = async (path: string) => (isHere ? { path, free_bytes: await freeAt(path) } : { path: null, free_bytes: null });
  const needed = (name: string | undefined) => neededIn(name, plainBytes, tablespaces.length === 0 ? [] : shares);
  return [
    { purpose: 'data', name: null, ...(await place(dataDirectory)), ...needed(undefined) },
    ...(await Promise.all(
      tablespaces.map(
        async ({ name, directory }): Promise<Directory> => ({ purpose: 'tablespace', name, ...(await place(directory)), ...needed(name) }),
      ),
    )),
    {
      purpose: 'wal',
      name: null,
      ...(await place(dataDirectory)),
      needed_bytes_min: Math.min(walBytes, segmentsMin * segmentBytes),
      needed_bytes_max: walBytes,
    },
  ];
}

/** `name`: of a tablespace, or undefined for the data directory, which has the rest. */
function neededIn(name: string | undefined, plainBytes: number | undefined, shares: readonly Share[] | undefined) {
  if (plainBytes === undefined || shares === undefined) return { needed_bytes_min: null, needed_bytes_max: plainBytes ?? null };
  const share = shares.find((each) => each.name === name);
  if (share !== undefined) return { needed_bytes_min: share.min, needed_bytes_max: share.max };
  const rest = (bytes: readonly number[]) => bytes.reduce((left, each) => Math.max(0, left - each), plainBytes);
  return { needed_bytes_min: rest(shares.map(({ max }) => max)), needed_bytes_max: rest(shares.map(({ min }) => min)) };
}

/** Undefined: it is not known how much is needed, or there is enough. Bytes that are lacking for certain, over all file systems together. */
export async function lackingBytes(directories: readonly Directory[], plainBytes: number | undefined): Promise<number | undefined> {
  const needed = (plainBytes ?? 0) + (directories.at(-1)?.needed_bytes_min ?? 0);
  const free = new Map<number, number>();
  for (const { path, free_bytes: bytes } of directories) {
    if (path !== null && bytes !== null) free.set((await stat(await existingAncestor(path))).dev, bytes);
  }
  if (free.size === 0) return undefined;
  const there = [...free.values()].reduce((sum, bytes) => sum + bytes, 0);
  return needed > there ? needed - there : undefined;
}

async function freeAt(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(await existingAncestor(path));
  return bavail * bsize;
}
