import type { SiteHealthView } from './health-view.ts';
import type { Restorable } from './restorable.ts';
import type { StoreHealth } from './store-health.ts';
import type { WalLag } from './wal-lag.ts';

/** All in one word: exit codes, monitoring and colours follow it. */
export interface Verdict {
  /**
   * `ok`: restorable, and nothing is to be done. `attention`: restorable, but somebody should look. `failure`: not restorable. `unknown`: nobody can tell whether it is.
   * `inactive`: this daemon does not back it up.
   */
  readonly is: 'ok' | 'attention' | 'failure' | 'unknown' | 'inactive';
  /** Why it is not `ok`, the worst first. */
  readonly because: readonly string[];
}

export function verdictOf(view: SiteHealthView, restorable: Restorable, walLag: WalLag, store: StoreHealth): Verdict {
  const { active, alerts, backups, servers, wal } = view;
  if (!active) return { is: 'inactive', because: ['the site is not active'] };
  const { failures, listing } = backups;
  const unreadable = listing?.unreadable.length ?? 0;
  const worries = [
    ...alerts.map(({ name, because }) => `${name}: ${because}`),
    ...(wal !== undefined && walLag.bytes === undefined && !servers.onlyStandbys ? [walLag.because] : []),
    ...(store.reachable === false ? [store.because] : []),
    ...(failures > 0 ? [`base backups failed ${failures} ${failures === 1 ? 'time' : 'times'} since the last success`] : []),
    ...(unreadable > 0
      ? [`${unreadable} ${unreadable === 1 ? 'object is a base backup' : 'objects are base backups'} that cannot be read`]
      : []),
  ];
  switch (restorable.state) {
    case 'no':
      return { is: 'failure', because: distinct([restorable.because, ...worries]) };
    case 'unknown':
      return { is: 'unknown', because: distinct([restorable.because, ...worries]) };
    case 'yes':
      return { is: worries.length === 0 ? 'ok' : 'attention', because: worries };
  }
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
