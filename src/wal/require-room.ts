import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OperatorError } from '../lib/errors.ts';
import { freeBytesOf } from './receive/disk-guard.ts';

/** Sealed, a file may come out a little longer; and whoever writes until nothing is free leaves nothing to others, such as the state file. */
const roomPerByte = 1.5;

/** Rejects with `disk-full` (retryable) where the plain file at `from` would not fit beside `to` once it is sealed: PostgreSQL hears that before the disk is full. */
export async function requireRoom(to: string, from: string): Promise<void> {
  // What cannot be looked at has an error of its own coming.
  const size = await stat(from).then(
    (found) => found.size,
    () => 0,
  );
  const needed = Math.ceil(size * roomPerByte);
  const free = await freeBytesOf(dirname(to)).catch(() => Number.POSITIVE_INFINITY);
  if (free >= needed) return;
  throw new OperatorError('disk-full', `there is no room to write ${to}: ${needed} bytes are needed, ${free} are free`, {
    retryable: true,
    hint: 'Make room on that file system. PostgreSQL keeps the segment and tries again.',
  });
}
