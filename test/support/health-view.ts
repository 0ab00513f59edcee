import { parseBasebackupEntry } from '../../src/catalog/basebackup-entry.ts';
import { needyBackups } from '../../src/catalog/needy-backups.ts';
import type { ServerSample } from '../../src/catalog/recoverability/server-samples.ts';
import { type WalArchiveView } from '../../src/catalog/wal-archive-view.ts';
import { WalRanges } from '../../src/catalog/wal-ranges.ts';
import { noKnowledge, type SiteHealthView, type WalView } from '../../src/daemon/health/health-view.ts';
import { formatWalName } from '../../src/postgres/wal-name.ts';
import { findGaps } from '../../src/wal/gaps/gaps.ts';
import { troublesOf } from '../../src/wal/gaps/trouble.ts';

export const segmentBytes = 1024 * 1024;
export const today = '2026-11-30';

/** `12:00:00` of that day. */
export function at(time: string): Date {
  return new Date(`${today}T${time}Z`);
}

export interface MadeBackup {
  readonly start: number;
  /** Absent as old versions left it. */
  readonly end?: number;
  readonly timeline?: number;
  readonly from: string;
  readonly to: string;
  /** When its last object was stored. */
  readonly completed?: string;
  readonly mode?: string;
  /** Further metadata. */
  readonly more?: Readonly<Record<string, string>>;
}

/** Nothing tells where its WAL ends. */
export const endless: MadeBackup = { start: 2, from: '08:00:00', to: '08:10:00', completed: '08:11:00' };

export interface MadeSite {
  readonly backups?: readonly MadeBackup[];
  /** Stored segments, as `timeline:first-last`. */
  readonly stored?: readonly string[];
  /** By timeline, where its ancestors were left, as `timeline@segment.offset`. */
  readonly histories?: Readonly<Record<number, readonly string[]>>;
  /** `12:00:00 1@5.1000`: time, timeline, segment and offset of the last commit; with the end of the WAL behind it where that is elsewhere. */
  readonly samples?: readonly string[];
  readonly beginning?: string;
}

/** The view of a site that archives WAL, made of few words; what is given in `changes` is taken instead. */
export function viewOf(made: MadeSite, changes: Partial<SiteHealthView> = {}): SiteHealthView {
  const entries = (made.backups ?? []).map(entryOf);
  const wal = walOf(made, entries);
  const failed = { failures: 0, dueAt: undefined, running: undefined };
  return {
    site: 'main',
    now: at('12:00:10'),
    active: true,
    walMode: 'archive_command',
    backups: { listing: { entries, unreadable: [] }, ...failed },
    wal,
    servers: {
      samples: (made.samples ?? []).map(sampleOf),
      clockSetBack: undefined,
      sampledMsAgo: 1000,
      obstacle: undefined,
      onlyStandbys: false,
    },
    store: { lastSuccess: { at: at('12:00:09'), msAgo: 1000 }, lastFailure: undefined },
    spool: { files: 0, bytes: 0 },
    alerts: [],
    because: 'the next base backup is due tomorrow',
    deletion: undefined,
    knowledge: noKnowledge,
    ...changes,
  };
}

function walOf({ stored = [], histories = {}, beginning }: MadeSite, entries: readonly ReturnType<typeof entryOf>[]): WalView {
  const ranges = new WalRanges();
  for (const text of stored) {
    const [, timeline, first, last] = /^(\d+):(\d+)(?:-(\d+))?$/.exec(text) ?? [];
    for (let number = Number(first); number <= Number(last ?? first); number++)
      ranges.add({ timeline: Number(timeline), number: BigInt(number) }, at('08:00:00'));
  }
  const switchOf = (text: string) => ({ timeline: positionOf(text).timeline, switchLsn: positionOf(text).lsn, reason: '' });
  const read = Object.entries(histories).map(
    ([timeline, left]) => [Number(timeline), { switches: left.map(switchOf), since: at('08:00:00') }] as const,
  );
  const archive: WalArchiveView = { segmentBytes, ranges, histories: new Map(read), reached: new Map() };
  const gaps = findGaps(archive, needyBackups(entries, segmentBytes));
  const troubles = troublesOf(gaps).map((trouble) => ({ trouble, noticed: at('09:00:00'), sought: undefined }));
  return { archive, gaps, troubles, beginning: beginning === undefined ? undefined : positionOf(beginning), receiver: undefined };
}

/** `1@5.1000` */
export function positionOf(text: string): Pick<ServerSample, 'timeline' | 'lsn'> {
  const [, timeline, segment, offset] = /^(\d+)@(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  return { timeline: Number(timeline), lsn: BigInt(segment ?? 0) * BigInt(segmentBytes) + BigInt(offset ?? 0) };
}

export function sampleOf(text: string): ServerSample {
  const [time = '', position = '', flushed = position] = text.split(' ');
  return { time: at(time), ...positionOf(position), flushed: positionOf(flushed).lsn };
}

function entryOf({ start, end, timeline = 1, from, to, completed = to, mode = 'archive_command', more }: MadeBackup) {
  const nameOf = (number: number) => formatWalName({ timeline, number: BigInt(number) }, segmentBytes);
  return parseBasebackupEntry({
    key: `main/basebackup/${today}_${from.replaceAll(':', '-')}_0.00000000.pghoard`,
    size: 1000,
    lastModified: at(completed),
    metadata: {
      'start-time': at(from).toISOString(),
      'end-time': at(to).toISOString(),
      'start-wal-segment': nameOf(start),
      'active-backup-mode': mode,
      'total-size-enc': '5000000',
      ...(end !== undefined && { 'end-wal-segment': nameOf(end) }),
      ...more,
    },
  });
}
