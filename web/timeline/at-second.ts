import type { SpanState } from '../../src/daemon/http/api.ts';
import type { Lane, Stretch } from './prepare.ts';

/** What is known of a second of a timeline. */
export interface AtSecond {
  /** `nothing`: no WAL of the timeline is told of that second. */
  readonly state: SpanState | 'nothing';
  readonly because: string;
  readonly isRestorable: boolean;
  /** The nearest seconds that can be restored, where this one cannot. */
  readonly before: number | undefined;
  readonly after: number | undefined;
}

const second = 1000;

/** Where clocks went back, several stretches have a second: it can be restored only if all of them say so. The last good one before a hole is good. */
export function whatIsAt({ stretches }: Lane, ms: number): AtSecond {
  const here = stretches.filter(({ from, to }) => from <= ms && ms <= to);
  const bad = here.find((stretch) => !isGood(stretch) && stretch.from < ms && ms < stretch.to);
  const found = bad ?? here.find(({ state }) => state === 'covered') ?? here.find(isGood) ?? here[0];
  if (found !== undefined && isGood(found))
    return { state: found.state, because: found.because, isRestorable: true, before: undefined, after: undefined };
  const good = stretches.filter(isGood);
  const before = good
    .flatMap(({ to }) => (to < ms ? [floor(to)] : []))
    .reduce<number | undefined>((best, at) => Math.max(best ?? at, at), undefined);
  const after = good
    .flatMap(({ from }) => (from > ms ? [ceil(from)] : []))
    .reduce<number | undefined>((best, at) => Math.min(best ?? at, at), undefined);
  const nothing = 'Nothing tells that this second can be restored on this timeline.';
  return { state: found?.state ?? 'nothing', because: found?.because ?? nothing, isRestorable: false, before, after };
}

export function isGood({ state }: Pick<Stretch, 'state'>): boolean {
  return state === 'proven' || state === 'covered';
}

function floor(ms: number): number {
  return Math.floor(ms / second) * second;
}

function ceil(ms: number): number {
  return Math.ceil(ms / second) * second;
}
