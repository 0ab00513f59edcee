import type { BasebackupEntry } from '../../catalog/basebackup-entry.ts';
import type { FoundRecoverability } from '../../catalog/recoverability/find-recoverability.ts';
import { momentOf } from '../../catalog/recoverability/line-windows.ts';
import type { Stretch } from '../../catalog/recoverability/stored-line.ts';

/** Moments that can be restored to, from the first to the last without a gap. */
export interface RestorableWindow {
  readonly from: Date;
  /** The newest second of which all WAL is provably stored; undefined where nothing tells. */
  readonly until: Date | undefined;
  /** Names of the base backups that reach it. */
  readonly basebackups: readonly string[];
  /** The WAL behind it; undefined where the base backup carries its own. */
  readonly stretch: Stretch | undefined;
}

/** What a restore can come to that names no timeline. */
export interface Restorability {
  /** Oldest first, by position in the WAL, as clocks may be wrong; what lies between two of them cannot be restored. */
  readonly windows: readonly RestorableWindow[];
  /** Of which it cannot be told whether all the WAL that they need is stored. */
  readonly unproven: readonly string[];
  /** That cannot be restored so: mostly WAL is missing that they need. */
  readonly lacking: readonly string[];
}

/** The part of the whole that the one line of a site's health tells. */
export function restorabilityOf(
  { byDefault, selfContained, basebackups: marks, segmentBytes }: FoundRecoverability,
  entries: readonly BasebackupEntry[],
): Restorability {
  const alone = selfContained.map((entry) => {
    const moment = momentOf(entry);
    return { from: moment, until: moment, basebackups: [entry.name], stretch: undefined };
  });
  const windows = (byDefault?.windows ?? []).map(({ from, until, stretch, backups }) => {
    return { from, until, stretch, basebackups: backups.map(({ name }) => name) };
  });
  const all = merged(alone, windows);
  const placed = new Set(all.flatMap(({ basebackups }) => basebackups));
  const doubtful = new Set([
    ...(byDefault?.unproven ?? []).map(({ backup }) => backup.name),
    // Nobody knows what WAL of other segments it needs.
    ...(segmentBytes === undefined ? [] : marks.filter(({ state }) => state === 'unproven').map(({ name }) => name)),
  ]);
  const rest = entries.map(({ name }) => name).filter((name) => !placed.has(name));
  return { windows: all, unproven: rest.filter((name) => doubtful.has(name)), lacking: rest.filter((name) => !doubtful.has(name)) };
}

/** Those that carry their WAL come between the others by their time. */
function merged(alone: readonly RestorableWindow[], windows: readonly RestorableWindow[]): readonly RestorableWindow[] {
  const left = alone.toSorted((a, b) => a.from.getTime() - b.from.getTime());
  const placed = windows.flatMap((window) => {
    const later = left.findIndex(({ from }) => from > window.from);
    return [...left.splice(0, later < 0 ? left.length : later), window];
  });
  return [...placed, ...left];
}
