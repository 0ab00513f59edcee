/** How a process ends: first it is asked to finish what it has begun, then to stop at once. */
export interface Lifetime {
  /** Aborted by the first request to stop: take no new work, finish what runs. */
  readonly draining: AbortSignal;
  /** Aborted by the second: let go of everything. */
  readonly forced: AbortSignal;
}

export interface LifetimeSignals {
  /** A signal that begins draining, and forces when it comes again. */
  readonly drain: readonly NodeJS.Signals[];
  /** A signal that forces at once. */
  readonly force: readonly NodeJS.Signals[];
}

/** Ties a {@link Lifetime} to this process's signals. */
export function lifetimeOfProcess(signals: LifetimeSignals): Lifetime {
  const drain = new AbortController();
  const force = new AbortController();
  const stopNow = () => {
    drain.abort();
    force.abort();
  };
  const stop = () => (drain.signal.aborted ? stopNow() : drain.abort());
  for (const signal of signals.drain) process.on(signal, stop);
  for (const signal of signals.force) process.on(signal, stopNow);
  return { draining: drain.signal, forced: force.signal };
}

/** Resolves once the signal is aborted. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
