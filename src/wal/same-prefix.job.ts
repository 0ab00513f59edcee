import { closeSync, openSync, readSync } from 'node:fs';
import { defineJob } from '../codec/job.ts';
import { LentBuffer, lentBytes } from '../codec/lent-buffer.ts';

export interface SamePrefixInput {
  readonly paths: readonly [string, string];
  readonly bytes: number;
}

/** Whether two files begin with the same bytes, of which both have as many. */
export const samePrefix = defineJob(import.meta.url, 'samePrefix', async ({ paths, bytes }: SamePrefixInput): Promise<boolean> => {
  using stack = new DisposableStack();
  const [one, other] = paths.map((path) => {
    const fd = openSync(path, 'r');
    stack.defer(() => closeSync(fd));
    return { fd, buffer: stack.use(new LentBuffer()).bytes };
  }) as [Side, Side];
  for (let at = 0; at < bytes; at += lentBytes) {
    const wanted = Math.min(lentBytes, bytes - at);
    const isRead = [one, other].every(({ fd, buffer }) => readSync(fd, buffer, 0, wanted, at) === wanted);
    if (!isRead || one.buffer.compare(other.buffer, 0, wanted, 0, wanted) !== 0) return false;
  }
  return true;
});

interface Side {
  readonly fd: number;
  readonly buffer: Buffer;
}
