import { systemClock } from '../lib/clock.ts';

/** Milliseconds that an answer asks to be left alone, from its `Retry-After`: seconds or a date. */
export function retryAfterMsOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const until = Date.parse(header);
  return Number.isNaN(until) ? undefined : Math.max(0, until - systemClock.now().getTime());
}
