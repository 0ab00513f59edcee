import type { BackupState, RecoverabilityDocument, SpanState } from '../../src/daemon/http/api.ts';
import { msOf } from '../format.ts';

/** Moments of a lane that have the same state. Times are milliseconds since 1970. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly state: SpanState;
  readonly because: string;
  readonly basebackups: readonly string[];
}

/** A base backup, at the moment from which it can be restored. */
export interface Mark {
  readonly at: number;
  readonly name: string;
  readonly state: BackupState;
  readonly because: string;
  readonly bytes: number | undefined;
  readonly reaches: number | undefined;
}

/** A named restore point. */
export interface Flag {
  readonly at: number;
  readonly name: string;
  readonly isReachable: boolean;
}

/** A timeline of PostgreSQL. */
export interface Lane {
  readonly timeline: number;
  readonly isCurrent: boolean;
  /** `from timeline 1` */
  readonly parent: number | undefined;
  /** By their beginning. */
  readonly stretches: readonly Stretch[];
  readonly marks: readonly Mark[];
  readonly flags: readonly Flag[];
}

/** What there is to be drawn. */
export interface Prepared {
  /** Newest timeline first. */
  readonly lanes: readonly Lane[];
  readonly from: number;
  readonly to: number;
  /** The newest second that can be restored. */
  readonly newest: number | undefined;
}

type TimelineDocument = RecoverabilityDocument['timelines'][number];
type SpanDocument = TimelineDocument['spans'][number];

const restMsMin = 3_600_000;

/** Parses what the daemon has told, once; undefined where nothing of it has a time. */
export function prepare({ timelines, basebackups, newest, current_timeline: current, at }: RecoverabilityDocument): Prepared | undefined {
  const marks = Map.groupBy(basebackups, ({ timeline }) => timeline ?? current ?? -1);
  const lanes = timelines.map((timeline) => laneOf(timeline, marks.get(timeline.timeline) ?? [])).toReversed();
  const times = lanes.flatMap(({ stretches, marks: ofLane }) => [
    ...stretches.flatMap(({ from, to }) => [from, to]),
    ...ofLane.map((mark) => mark.at),
  ]);
  if (times.length === 0) return undefined;
  const from = times.reduce((a, b) => Math.min(a, b));
  const last = times.reduce((a, b) => Math.max(a, b), msOf(at) ?? from);
  return { lanes, from: Math.min(from, last - restMsMin), to: last, newest: msOf(newest?.time) };
}

function laneOf(
  { timeline, is_current: isCurrent, parent, spans, restore_points: points }: TimelineDocument,
  basebackups: RecoverabilityDocument['basebackups'],
): Lane {
  const flags = points.flatMap(({ name, time, is_reachable: isReachable }) => {
    const at = msOf(time);
    return at === undefined ? [] : [{ at, name, isReachable }];
  });
  return {
    timeline,
    isCurrent,
    parent: parent?.timeline,
    stretches: spans.flatMap((span, index) => stretchOf(span, spans[index - 1], spans[index + 1])).toSorted((a, b) => a.from - b.from),
    marks: basebackups.flatMap(markOf).toSorted((a, b) => a.at - b.at),
    flags: flags.toSorted((a, b) => a.at - b.at),
  };
}

/**
 * Where an end has no time, a hole goes as far as what is around it leaves room, and what can be restored only as far as its last commit: nothing is shown as better
 * than it is known to be. What has no time at all is in the table alone.
 */
function stretchOf(span: SpanDocument, before: SpanDocument | undefined, after: SpanDocument | undefined): Stretch[] {
  const { state, because, basebackups } = span;
  const isGood = state === 'proven' || state === 'covered';
  const beginning = msOf(span.from.time) ?? (isGood ? undefined : msOf(before?.to.time));
  const end = msOf(span.to.time) ?? (isGood ? msOf(span.last_commit) : msOf(after?.from.time));
  const from = beginning ?? end;
  const to = end ?? beginning;
  return from === undefined || to === undefined ? [] : [{ from, to: Math.max(from, to), state, because, basebackups }];
}

function markOf({
  name,
  state,
  because,
  start,
  end,
  from,
  stored_bytes: bytes,
  reaches,
}: RecoverabilityDocument['basebackups'][number]): Mark[] {
  const at = msOf(from?.time) ?? msOf(end) ?? msOf(start);
  return at === undefined ? [] : [{ at, name, state, because, bytes: bytes ?? undefined, reaches: msOf(reaches?.time) }];
}
