import { z } from 'zod';
import { formatLsn, type Lsn } from '../../postgres/lsn.ts';
import { formatWalName } from '../../postgres/wal-name.ts';
import { type Cause, causeKinds } from './cause.ts';
import type { BackupMark, Recoverability, RecoverablePoint, RecoverableTimeline, Span } from './recoverability.ts';

const moment = z.iso.datetime();
const lsn = z.string();
const count = z.number().nonnegative();
const timeline = z.number();

const point = z.object({ lsn: lsn.nullable(), time: moment.nullable() });
const placedPoint = point.extend({ timeline });

const cause = z.object({
  kind: z.enum(causeKinds),
  timeline: timeline.nullable(),
  basebackup: z.string().nullable(),
  /** Names of the first run of segments, both included; and how many segments that are. */
  first_segment: z.string().nullable(),
  last_segment: z.string().nullable(),
  segments: count.nullable(),
  /** Further runs of segments. */
  more_runs: count,
});

const span = z.object({
  state: z.enum(['proven', 'covered', 'hole', 'unknown']),
  from: point,
  to: point,
  last_commit: moment.nullable(),
  basebackups: z.array(z.string()),
  cause: cause.nullable(),
  because: z.string(),
});

const basebackup = z.object({
  name: z.string(),
  state: z.enum(['proven', 'covered', 'lacking', 'corrupt', 'unreadable', 'unfinished', 'unproven']),
  because: z.string(),
  cause: cause.nullable(),
  timeline: timeline.nullable(),
  start: moment.nullable(),
  end: moment.nullable(),
  stored_bytes: count.nullable(),
  first_segment: z.string().nullable(),
  last_segment: z.string().nullable(),
  from: placedPoint.nullable(),
  reaches: placedPoint.nullable(),
  is_alone: z.boolean(),
  verified_at: moment.nullable(),
  drilled_at: moment.nullable(),
});

/**
 * Which moments of a site can be restored, as JSON: `GET /SITE/recoverability`; docs/guide.md describes it. Keys are only ever added. What is not known is null, and
 * a `because` says why.
 */
export const recoverabilityDocument = z.object({
  site: z.string(),
  at: moment,
  is_known: z.boolean(),
  because: z.string().nullable(),
  segment_bytes: count.nullable(),
  current_timeline: timeline.nullable(),
  newest: placedPoint.nullable(),
  timelines: z.array(
    z.object({
      timeline,
      parent: z.object({ timeline, switch_lsn: lsn, time: moment.nullable() }).nullable(),
      is_current: z.boolean(),
      spans: z.array(span),
      restore_points: z.array(z.object({ name: z.string(), lsn, time: moment, is_reachable: z.boolean() })),
    }),
  ),
  basebackups: z.array(basebackup),
});
export type RecoverabilityDocument = z.output<typeof recoverabilityDocument>;
type TimelineDocument = RecoverabilityDocument['timelines'][number];

/** `at`: when it was so. */
export function recoverabilityAsDocument(site: string, at: Date, found: Recoverability): RecoverabilityDocument {
  const { unknown, segmentBytes, current, newest, timelines, basebackups } = found;
  return {
    site,
    at: at.toISOString(),
    is_known: unknown === undefined,
    because: unknown ?? null,
    segment_bytes: segmentBytes ?? null,
    current_timeline: current ?? null,
    newest: placed(newest),
    timelines: timelines.map((each) => timelineAsDocument(each, segmentBytes)),
    basebackups: basebackups.map((mark) => markAsDocument(mark, segmentBytes)),
  };
}

function timelineAsDocument(
  { timeline: number, parent, isCurrent, spans, restorePoints }: RecoverableTimeline,
  segmentBytes: number | undefined,
): TimelineDocument {
  return {
    timeline: number,
    parent: parent === undefined ? null : { timeline: parent.timeline, switch_lsn: formatLsn(parent.switchLsn), time: iso(parent.time) },
    is_current: isCurrent,
    spans: spans.map((each) => spanAsDocument(each, segmentBytes)),
    restore_points: restorePoints.map(({ name, lsn: at, time, isReachable }) => {
      return { name, lsn: formatLsn(at), time: time.toISOString(), is_reachable: isReachable };
    }),
  };
}

function spanAsDocument(
  { state, from, to, lastCommit, basebackups, cause: why, because }: Span,
  segmentBytes: number | undefined,
): TimelineDocument['spans'][number] {
  return {
    state,
    from: pointAsDocument(from),
    to: pointAsDocument(to),
    last_commit: iso(lastCommit),
    basebackups: [...basebackups],
    cause: causeAsDocument(why, segmentBytes),
    because,
  };
}

function markAsDocument(mark: BackupMark, segmentBytes: number | undefined): RecoverabilityDocument['basebackups'][number] {
  return {
    name: mark.name,
    state: mark.state,
    because: mark.because,
    cause: causeAsDocument(mark.cause, segmentBytes),
    timeline: mark.timeline ?? null,
    start: iso(mark.start),
    end: iso(mark.end),
    stored_bytes: mark.storedBytes ?? null,
    first_segment: mark.firstSegment ?? null,
    last_segment: mark.lastSegment ?? null,
    from: placed(mark.from),
    reaches: placed(mark.reaches),
    is_alone: mark.isAlone,
    verified_at: iso(mark.verified),
    drilled_at: iso(mark.drilled),
  };
}

function causeAsDocument(why: Cause | undefined, segmentBytes: number | undefined): z.output<typeof cause> | null {
  if (why === undefined) return null;
  const { kind, timeline: number, basebackup: name, wal, more = 0 } = why;
  const nameOf = (segment: bigint) =>
    wal === undefined || segmentBytes === undefined ? null : formatWalName({ timeline: wal.timeline, number: segment }, segmentBytes);
  return {
    kind,
    timeline: number ?? wal?.timeline ?? null,
    basebackup: name ?? null,
    first_segment: wal === undefined ? null : nameOf(wal.first),
    last_segment: wal === undefined ? null : nameOf(wal.last),
    segments: wal === undefined ? null : Number(wal.last - wal.first) + 1,
    more_runs: more,
  };
}

function placed(found: (RecoverablePoint & { readonly timeline: number }) | undefined): z.output<typeof placedPoint> | null {
  return found === undefined ? null : { ...pointAsDocument(found), timeline: found.timeline };
}

function pointAsDocument({ lsn: at, time }: RecoverablePoint): z.output<typeof point> {
  return { lsn: lsnOrNull(at), time: iso(time) };
}

function lsnOrNull(at: Lsn | undefined): string | null {
  return at === undefined ? null : formatLsn(at);
}

function iso(date: Date | undefined): string | null {
  return date?.toISOString() ?? null;
}
