import { isOperatorError } from '../lib/errors.ts';
import { nextWalName } from '../postgres/wal-name.ts';

/** The segments that come after `name` on its timeline, in order: `count`, or as many as there can be. */
export function namesAhead(name: string, segmentBytes: number, count: number): readonly string[] {
  const names: string[] = [];
  for (let last = name; names.length < count; ) {
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
