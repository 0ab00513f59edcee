import type { StoreContact, StoreView } from './health-view.ts';

export interface StoreHealth {
  /** Whether it did what it was asked for the last time; undefined where it was not asked yet. */
  readonly reachable?: boolean;
  readonly lastSuccess?: Date;
  readonly lastFailure?: { readonly at: Date; readonly because: string };
  readonly because: string;
}

export function storeHealth({ lastSuccess, lastFailure }: StoreView): StoreHealth {
  const facts = {
    ...(lastSuccess && { lastSuccess: lastSuccess.at }),
    ...(lastFailure && { lastFailure: { at: lastFailure.at, because: lastFailure.because } }),
  };
  if (lastSuccess === undefined && lastFailure === undefined) return { because: 'the store has not been asked yet' };
  if (lastFailure === undefined || isLater(lastSuccess, lastFailure)) return { reachable: true, ...facts, because: 'the store answers' };
  const since =
    lastSuccess === undefined
      ? 'no request to the store has succeeded yet'
      : `no request to the store has succeeded since ${lastSuccess.at.toISOString()}`;
  return { reachable: false, ...facts, because: `${since}: ${lastFailure.because}` };
}

function isLater(one: StoreContact | undefined, other: StoreContact): boolean {
  return one !== undefined && one.msAgo <= other.msAgo;
}
