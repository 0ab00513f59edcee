import { forEachLimited } from '../lib/limiter.ts';

/**
 * Does the work of all units, at most `atOnce` at a time. The first failure, of what finds the units or of any of them, stops all others
 * and is the one that is told.
 */
export async function copyUnits<Unit>(
  units: AsyncIterable<Unit>,
  limits: { readonly atOnce: number; readonly signal: AbortSignal },
  work: (unit: Unit, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([limits.signal, stop.signal]);
  await forEachLimited(untilFailure(units, stop), limits.atOnce, async (unit) => {
    try {
      await work(unit, signal);
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  });
  signal.throwIfAborted();
}

async function* untilFailure<Unit>(units: AsyncIterable<Unit>, stop: AbortController): AsyncGenerator<Unit> {
  try {
    yield* units;
  } catch (error) {
    stop.abort(error);
  }
}
