import { lstat } from 'node:fs/promises';
import { systemClock } from './clock.ts';

const lookMs = 5_000;

/** Does `work`, which makes the file at `path` without a word, and tells of each time that the file has been seen to be larger. */
export async function whileItGrows<T>(path: string, onProgress: (() => void) | undefined, work: () => Promise<T>): Promise<T> {
  if (onProgress === undefined) return work();
  const done = new AbortController();
  const looking = look(path, onProgress, done.signal);
  try {
    return await work();
  } finally {
    done.abort();
    await looking;
  }
}

async function look(path: string, onProgress: () => void, done: AbortSignal): Promise<void> {
  for (let size = 0; ; ) {
    await systemClock.sleep(lookMs, done).catch(() => {});
    if (done.aborted) return;
    const now = await lstat(path).then(
      (found) => found.size,
      () => 0,
    );
    if (now > size) onProgress();
    size = now;
  }
}
