import type { BasebackupEntry } from '../../catalog/basebackup-entry.ts';
import type { Findings } from './findings.ts';

/** The base backups of a site. Those that failed or are being taken are none. */
export interface BackupsHealth {
  /** Complete ones; undefined until they are listed. */
  readonly count?: number;
  /** Those of which all the WAL that they need is certain to be stored. */
  readonly restorable?: number;
  /** Objects that would be base backups, if anybody could read them. */
  readonly unreadable?: number;
  readonly newest?: {
    readonly name: string;
    readonly from: Date;
    readonly to?: Date;
    /** Stored bytes. */
    readonly bytes: number;
    readonly secondsAgo: number;
  };
  /** Stored bytes of all of them. */
  readonly bytes?: number;
  /** Attempts that failed since the last success. */
  readonly failures: number;
}

export function backupsHealth({ view, restorability }: Findings): BackupsHealth {
  const { listing, failures } = view.backups;
  if (listing === undefined) return { failures };
  const { entries, unreadable } = listing;
  const newest = entries.at(-1);
  return {
    count: entries.length,
    ...(restorability && { restorable: restorability.windows.flatMap(({ basebackups }) => basebackups).length }),
    unreadable: unreadable.length,
    ...(newest && { newest: describe(newest, view.now) }),
    bytes: entries.reduce((sum, { storedSize }) => sum + storedSize, 0),
    failures,
  };
}

function describe({ name, startTime, endTime, storedSize }: BasebackupEntry, now: Date): NonNullable<BackupsHealth['newest']> {
  const msAgo = now.getTime() - (endTime ?? startTime).getTime();
  return { name, from: startTime, ...(endTime && { to: endTime }), bytes: storedSize, secondsAgo: Math.max(0, Math.round(msAgo / 1000)) };
}
