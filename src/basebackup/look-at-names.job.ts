import { lstatSync, type Stats } from 'node:fs';
import { defineJob } from '../codec/job.ts';
import type { CodecPool, RunOptions } from '../codec/pool.ts';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';

/** What the file system says of a name, as far as a backup wants to know. */
export interface Seen {
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  /** Bytes. */
  readonly size: number;
  /** All bits, those of the type among them. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: number;
}

export interface NamesInput {
  readonly directory: string;
  readonly names: readonly string[];
}

/** In the order of the names; undefined: there is no such thing any more. Rejects with `file-unreadable`. */
export type LookAtNames = (input: NamesInput) => Promise<readonly (Seen | undefined)[]>;

const types = ['file', 'directory', 'symlink', 'other'] as const satisfies readonly Seen['type'][];
const vanished = -1;
const numbersPerName = 6;

/**
 * Six numbers for each name. One job for many of them, because a look from the main thread goes through another thread and back each time, which costs
 * ten times as much as the look itself.
 */
export const lookAtNames = defineJob(import.meta.url, 'lookAtNames', ({ directory, names }: NamesInput): Promise<Float64Array> => {
  const numbers = new Float64Array(names.length * numbersPerName);
  for (const [i, name] of names.entries()) {
    const stats = lookAt(`${directory}/${name}`);
    const found = stats ? [types.indexOf(typeOf(stats)), stats.size, stats.mode, stats.uid, stats.gid, stats.mtimeMs] : [vanished];
    numbers.set(found, i * numbersPerName);
  }
  return Promise.resolve(numbers);
});

/** What {@link lookAtNames} found. */
export function seenIn(numbers: Float64Array): (Seen | undefined)[] {
  return Array.from({ length: numbers.length / numbersPerName }, (_, i) => {
    const [type = vanished, size = 0, mode = 0, uid = 0, gid = 0, mtimeMs = 0] = numbers.subarray(
      i * numbersPerName,
      (i + 1) * numbersPerName,
    );
    return type === vanished ? undefined : { type: types[type] ?? 'other', size, mode, uid, gid, mtimeMs };
  });
}

/** Has a pool look, so that a disk that hangs holds up one of its threads and nothing else. */
export function lookIn(pool: CodecPool, options: RunOptions): LookAtNames {
  return async (input) => seenIn(await pool.run(lookAtNames, input, options));
}

/** Changes that happen in a running cluster are none of our failures. */
export function isOrdinaryChange(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '');
}

export function unreadable(path: string, cause: unknown): unknown {
  if (systemErrorCode(cause) === undefined) return cause;
  return new OperatorError('file-unreadable', `cannot read ${path}`, {
    cause,
    hint: 'pghoard must run as the user that owns the data directory (usually postgres) to take local-tar backups.',
  });
}

/** A file that is gone when we come to look was dropped meanwhile; replaying the WAL drops it again. */
function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (isOrdinaryChange(error)) return undefined;
    throw unreadable(path, error);
  }
}

function typeOf(stats: Stats): Seen['type'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'symlink' : 'other';
}
