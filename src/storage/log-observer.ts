import type { Log } from '../lib/log.ts';
import type { RequestObserver } from './request-observer.ts';

/** A line at DEBUG for every request. */
export function logObserver(log: Log, store: string): RequestObserver {
  return {
    ended: ({ operation, key, bytes, durationMs, outcome }) =>
      log.debug({ store, operation, key, ...(bytes !== undefined && { bytes }), ms: Math.round(durationMs), outcome }, 'store request'),
  };
}
