import { closeSync, openSync, readSync } from 'node:fs';
import { defineJob } from '../codec/job.ts';

export interface SamePrefixInput {
  readonly paths: readonly [string, string];
  readonly bytes: number;
}

const bufferBytes = 1 << 20;

/** Whether two files begin with the same bytes, of which both have as many. */
export const samePrefix = defineJob(import.meta.url, 'samePrefix', async ({ paths, bytes }: SamePrefixInput): Promise<boolean> => {
  using stack = new DisposableStack();
  const [one, other] = paths.map((path) => {
    const fd = openSync(path, 'r');
    stack.defer(() => closeSync(fd));
    return { fd, buffer: Buffer.allocUnsafe(bufferBytes) };
  }) as [Side, Side];
  for (let at = 0; at < bytes; at += bufferBytes) {
    const wanted = Math.min(bufferBytes, bytes - at);
    const isRead = [one, other].every(({ fd, buffer }) => readSync(fd, buffer, 0, wanted, at) === wanted);
    if (!isRead || one.buffer.compare(other.buffer, 0, wanted, 0, wanted) !== 0) return false;
  }
  return true;
});

interface Side {
  readonly fd: number;
  readonly buffer: Buffer;
}
