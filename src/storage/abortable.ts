/** The same items, but ends by the signal's reason as soon as it is aborted, also while the next item is being waited for. */
export async function* abortable<T>(items: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  if (!signal) {
    yield* items;
    return;
  }
  const iterator = items[Symbol.asyncIterator]();
  let stopWaiting: (reason: unknown) => void = () => {};
  const abort = () => stopWaiting(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      // A promise of its own for each item: raced against one for all of them, every item would be kept until the end.
      const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<T>>();
      stopWaiting = reject;
      iterator.next().then(resolve, reject);
      const next = await promise;
      signal.throwIfAborted();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', abort);
    const ended = iterator.return?.();
    // A source that hangs cannot be waited for; whoever aborted does not care how it ends.
    if (signal.aborted) ended?.catch(() => {});
    else await ended;
  }
}

/** The same answer, or the signal's reason as soon as it is aborted; then nobody cares for the answer any more. */
export async function untilAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return await answer;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
