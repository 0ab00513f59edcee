import { isOperatorError } from '../lib/errors.ts';
import { nextWalName } from '../postgres/wal-name.ts';

/** Disk space that files fetched ahead may take, whatever `restore_prefetch` says. */
export const prefetchBytesMax = 2 * 1024 ** 3;

/** The segments that PostgreSQL will ask for after `name`, in order: at most `count`, and at most {@link prefetchBytesMax}, but one in any case. */
export function namesAhead(name: string, segmentBytes: number, count: number): readonly string[] {
  const fitting = Math.max(1, Math.floor(prefetchBytesMax / segmentBytes));
  const names: string[] = [];
  for (let last = name; names.length < Math.min(count, fitting); ) {
    const next = nextOf(last, segmentBytes);
    if (next === undefined) break;
    names.push(next);
    last = next;
  }
  return names;
}

function nextOf(name: string, segmentBytes: number): string | undefined {
  try {
    return nextWalName(name, segmentBytes);
  } catch (error) {
    if (isOperatorError(error, 'wal-name-invalid')) return undefined;
    throw error;
  }
}
