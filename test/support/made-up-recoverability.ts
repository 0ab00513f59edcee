import type { RecoverabilityDocument } from '../../src/daemon/http/api.ts';

type TimelineDocument = RecoverabilityDocument['timelines'][number];
type Span = TimelineDocument['spans'][number];

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const days = 90;

export interface MadeUpRecoverability {
  readonly document: RecoverabilityDocument;
  /** An hour that cannot be restored, on the newest timeline: its first and last moment. */
  readonly hole: { readonly from: number; readonly to: number };
}

/** Ninety days up to `now` on two timelines, with so many base backups, holes, what drills have proven, and names that are markup. */
export function madeUpRecoverability(site: string, now: number, backups: number): MadeUpRecoverability {
  const from = now - days * dayMs;
  const switched = from + 54 * dayMs;
  const hole = { from: now - 30 * hourMs, to: now - 29 * hourMs };
  const old = spansOf(from, switched, 400);
  const current = [...spansOf(switched, hole.from, 300), lost(hole.from, hole.to), good('covered', hole.to, now)];
  const document: RecoverabilityDocument = {
    site,
    at: iso(now),
    is_known: true,
    because: null,
    segment_bytes: 1 << 24,
    current_timeline: 2,
    newest: { ...point(now), timeline: 2 },
    timelines: [
      timelineOf(1, null, old, from + 30 * dayMs),
      timelineOf(2, { timeline: 1, switch_lsn: '0/3000000', time: iso(switched) }, current, now - 2 * hourMs),
    ],
    basebackups: Array.from({ length: backups }, (_, index) => backupOf(index, from + (index * days * dayMs) / backups, switched)),
  };
  return { document, hole };
}

function timelineOf(timeline: number, parent: TimelineDocument['parent'], spans: Span[], named: number): TimelineDocument {
  const restore_points = [{ name: 'before <b>it</b>', lsn: '0/3000000', time: iso(named), is_reachable: true }];
  return { timeline, parent, is_current: timeline === 2, spans, restore_points };
}

/** Every fortieth one lacks an hour. */
function spansOf(from: number, to: number, count: number): Span[] {
  const width = (to - from) / count;
  return Array.from({ length: count }, (_, index) => {
    const [begin, end] = [from + index * width, from + (index + 1) * width];
    const state = index < count / 2 ? 'proven' : 'covered';
    return index % 40 === 17 ? [good(state, begin, end - hourMs), lost(end - hourMs, end)] : [good(state, begin, end)];
  }).flat();
}

function good(state: 'proven' | 'covered', from: number, to: number): Span {
  const because =
    state === 'proven' ? 'a drill has replayed all of it' : 'a complete base backup leads to it, and all WAL from there on is stored';
  return { state, from: point(from), to: point(to), last_commit: null, basebackups: [], cause: null, because };
}

function lost(from: number, to: number): Span {
  const cause = {
    kind: 'wal-missing',
    timeline: 2,
    basebackup: null,
    first_segment: '000000020000000000000033',
    last_segment: '000000020000000000000035',
    segments: 3,
    more_runs: 0,
  } as const;
  return {
    state: 'hole',
    from: point(from),
    to: point(to),
    last_commit: null,
    basebackups: [],
    cause,
    because: '3 segments are missing <img src=x onerror=alert(1)>',
  };
}

function backupOf(index: number, end: number, switched: number): RecoverabilityDocument['basebackups'][number] {
  const timeline = end < switched ? 1 : 2;
  return {
    name: `backup_${index}`,
    state: index === 900 ? 'corrupt' : 'covered',
    because: 'all WAL that it needs is stored',
    cause: null,
    timeline,
    start: iso(end - 60_000),
    end: iso(end),
    stored_bytes: 5e9 + (index % 50) * 1e8,
    first_segment: '000000010000000000000003',
    last_segment: '000000010000000000000004',
    from: { ...point(end), timeline },
    reaches: null,
    is_alone: false,
    verified_at: null,
    drilled_at: null,
  };
}

function point(ms: number): { lsn: string; time: string } {
  return { lsn: '0/3000000', time: iso(ms) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
