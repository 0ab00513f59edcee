import type { Findings } from './findings.ts';
import type { RestorableWindow } from './restorability.ts';
import { serverUnknown, storedUpTo, timelineUnknown } from './wal-lag.ts';

/** Whether and to which moments the site can be restored: the newest window of them. */
export interface Restorable {
  /** Whether that is certain. */
  readonly is: boolean;
  /** `unknown` is not `no`, but nobody must rely on it. */
  readonly state: 'yes' | 'no' | 'unknown';
  readonly from?: Date;
  /** The newest second of which all WAL is provably stored, by the clock of the server. */
  readonly until?: Date;
  /** How long ago that is. Does not follow a clock that is set. */
  readonly untilSecondsAgo?: number;
  /** Why it is so, and why it goes no further. */
  readonly because: string;
}

export function restorableOf(findings: Findings): Restorable {
  const { view, restorability } = findings;
  if (view.backups.listing === undefined) return unknown('the base backups in the store have not been listed yet');
  const newest = view.backups.listing.entries.at(-1);
  if (newest === undefined) return no('there is no complete base backup');
  if (restorability === undefined) return unknown(whyStoredWalIsUnknown(findings));
  const window = restorability.windows.at(-1);
  if (window !== undefined) return { ...yes(window, findings), because: whyNoFurther(window, findings) };
  const { unproven, lacking } = restorability;
  const doubtful = unproven.at(-1);
  if (doubtful !== undefined) return unknown(`it cannot be told yet whether all the WAL is stored that base backup ${doubtful} needs`);
  return whyLacking(lacking.at(-1) ?? newest.name, findings);
}

function yes({ from, until }: RestorableWindow, { view }: Findings): Omit<Restorable, 'because'> {
  if (until === undefined) return { is: true, state: 'yes', from };
  const { samples, sampledMsAgo } = view.servers;
  const newest = samples.at(-1);
  const bySamples = newest !== undefined && sampledMsAgo !== undefined ? newest.time.getTime() - until.getTime() + sampledMsAgo : undefined;
  const msAgo = bySamples ?? view.now.getTime() - until.getTime();
  return { is: true, state: 'yes', from, until, untilSecondsAgo: Math.max(0, Math.round(msAgo / 1000)) };
}

function whyNoFurther({ stretch }: RestorableWindow, findings: Findings): string {
  const { view, line } = findings;
  if (stretch === undefined) return 'each base backup carries its own WAL, and is restored to the moment at which it ended';
  const trouble = view.wal?.troubles.findLast((known) => known.trouble.isOpen && known.trouble.kind !== 'end')?.trouble;
  if (trouble !== undefined) return `${trouble.words}: what was written behind it cannot be restored`;
  const newest = view.servers.samples.at(-1);
  if (newest === undefined) return serverUnknown(findings);
  if (line?.includes(newest) !== true) return timelineUnknown(newest);
  const { obstacle } = view.servers;
  return obstacle === undefined || newest.lsn > stretch.endLsn
    ? storedUpTo(newest, stretch)
    : `all WAL is stored that the server had written when it was asked last: ${obstacle}`;
}

function whyStoredWalIsUnknown({ view: { wal } }: Findings): string {
  const why = typeof wal?.archive === 'string' ? wal.archive : 'what is stored has not been looked through yet';
  return `it is not known which WAL is stored: ${why}`;
}

function whyLacking(name: string, { view, found }: Findings): Restorable {
  if (view.wal === undefined)
    return unknown(`base backup ${name} needs WAL, and this daemon archives none (active_backup_mode: ${view.walMode})`);
  const mark = found?.basebackups.find((each) => each.name === name);
  if (mark?.state === 'corrupt') return no(mark.because);
  const trouble = view.wal.troubles.at(-1)?.trouble.words;
  return no(`WAL that base backup ${name} needs is not stored${trouble === undefined ? ' yet' : `: ${trouble}`}`);
}

function unknown(because: string): Restorable {
  return { is: false, state: 'unknown', because };
}

function no(because: string): Restorable {
  return { is: false, state: 'no', because };
}
