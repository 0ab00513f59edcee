const tails = new Map<string, Promise<unknown>>();

/** Runs `work` while no other work for the same path runs in this thread, in the order of the calls. */
export async function withPathLocked<T>(path: string, work: () => Promise<T>): Promise<T> {
  const before = tails.get(path);
  const run = before ? before.then(work) : work();
  const tail = run.catch(() => {});
  tails.set(path, tail);
  try {
    return await run;
  } finally {
    if (tails.get(path) === tail) tails.delete(path);
  }
}
