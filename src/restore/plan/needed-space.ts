import { stat, statfs } from 'node:fs/promises';
import { existingAncestor } from '../check-directories.ts';
import type { Layout } from '../layout.ts';
import type { RestorePlanDocument } from './restore-plan-document.ts';

type Directory = RestorePlanDocument['directories'][number];

export interface SpaceWork {
  readonly layout: Layout;
  /** Undefined: not known. */
  readonly plainBytes: number | undefined;
  readonly walBytes: number;
  readonly segmentBytes: number;
  /** The plan is for this host: its directories are looked at. */
  readonly isHere: boolean;
}

/** Recovery always needs this many segments, whatever it removes. */
const segmentsMin = 3;

/**
 * What will lie in each directory, beside what is free there. How much of a base backup goes to which tablespace is not recorded in it. PostgreSQL keeps WAL that it
 * has replayed until its next restartpoint: mostly about `max_wal_size`, and never more than there is.
 */
export async function neededSpace({ layout, plainBytes, walBytes, segmentBytes, isHere }: SpaceWork): Promise<readonly Directory[]> {
  const { dataDirectory, tablespaces } = layout;
  const all = plainBytes ?? null;
  const isWhole = tablespaces.length === 0;
  const place = async (path: string) => (isHere ? { path, free_bytes: await freeAt(path) } : { path: null, free_bytes: null });
  const share = { needed_bytes_min: isWhole ? all : null, needed_bytes_max: all };
  return [
    { purpose: 'data', name: null, ...(await place(dataDirectory)), ...share },
    ...(await Promise.all(
      tablespaces.map(
        async ({ name, directory }): Promise<Directory> => ({ purpose: 'tablespace', name, ...(await place(directory)), ...share }),
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

/** Undefined: it is not known how much is needed, or there is enough. Bytes that are lacking for certain, over all file systems together. */
export async function lackingBytes(directories: readonly Directory[]): Promise<number | undefined> {
  const needed = (directories[0]?.needed_bytes_max ?? 0) + (directories.at(-1)?.needed_bytes_min ?? 0);
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
