/** A stretch of time that is looked at, in milliseconds since 1970. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

/** Ten seconds: each second is then as wide as a finger. */
export const windowMsMin = 10_000;

/** Looks `factor` times as far (less than 1: closer), with `anchor` staying where it is; never past the limits. */
export function zoom({ from, to }: TimeWindow, limits: TimeWindow, factor: number, anchor: number): TimeWindow {
  const width = to - from;
  const wanted = Math.min(Math.max(width * factor, windowMsMin), Math.max(limits.to - limits.from, windowMsMin));
  const share = width === 0 ? 0.5 : (anchor - from) / width;
  return within({ from: anchor - wanted * share, to: anchor + wanted * (1 - share) }, limits);
}

/** Looks so many milliseconds later, or earlier; never past the limits. */
export function pan({ from, to }: TimeWindow, limits: TimeWindow, ms: number): TimeWindow {
  return within({ from: from + ms, to: to + ms }, limits);
}

/** The same width, moved by what lies outside of the limits. */
export function within({ from, to }: TimeWindow, limits: TimeWindow): TimeWindow {
  const width = Math.min(to - from, Math.max(limits.to - limits.from, windowMsMin));
  const start = Math.max(Math.min(from, limits.to - width), limits.from);
  return { from: start, to: start + width };
}

/** The smallest move by which the moment is seen. */
export function reveal(window: TimeWindow, limits: TimeWindow, at: number): TimeWindow {
  if (at < window.from) return pan(window, limits, at - window.from);
  return at > window.to ? pan(window, limits, at - window.to) : window;
}
