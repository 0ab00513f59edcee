import type { SiteHealth } from '../health/site-health.ts';

/** Whether the site is well enough for its heartbeat; `because` says why not, or that it is. */
export interface HeartbeatDecision {
  readonly isWell: boolean;
  readonly because: string;
}

/** Whatever is unknown, missing or old keeps the heart from beating: silence is what somebody is told of. */
export function heartbeatDecision(
  health: Pick<SiteHealth, 'alerts' | 'restorable' | 'store' | 'verdict' | 'walLag'>,
  { maxAgeSeconds, hasOnlyBasebackups }: { readonly maxAgeSeconds: number; readonly hasOnlyBasebackups: boolean },
): HeartbeatDecision {
  const { alerts, restorable, store, verdict, walLag } = health;
  const no = (because: string) => ({ isWell: false, because });
  if (verdict.is === 'inactive') return no('the site is not active');
  if (!restorable.is || restorable.state !== 'yes') return no(restorable.because);
  const gap = alerts.find(({ name }) => name === 'wal_gap');
  if (gap) return no(gap.because);
  if (store.reachable !== true) return no(store.because);
  if (!hasOnlyBasebackups && walLag.bytes === undefined) return no(walLag.because);
  const { until, untilSecondsAgo: age } = restorable;
  if (until === undefined || age === undefined) return no('nothing tells to which second it can be restored');
  if (age > maxAgeSeconds) return no(`the newest restorable second is ${age} s old, more than ${maxAgeSeconds}: ${restorable.because}`);
  return { isWell: true, because: `it can be restored to ${until.toISOString()}` };
}
