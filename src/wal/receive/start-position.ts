import { OperatorError } from '../../lib/errors.ts';
import { formatLsn, type Lsn } from '../../postgres/lsn.ts';
import type { ServerFacts } from '../../postgres/replication.ts';
import type { TimelineSwitch } from '../../postgres/timeline-history.ts';
import { parseWalName, startLsnOf } from '../../postgres/wal-name.ts';
import type { LastReceived } from './partial-files.ts';

/** What the store has of a site. */
export interface StoredPosition {
  /** The segment that reaches furthest on the server's line of timelines. */
  readonly last: string | undefined;
  /** One before it that is not there, nor received, and that our slot still holds. */
  readonly missing?: string | undefined;
  /** The highest timeline that has a history. */
  readonly newestTimeline: number | undefined;
}

/** What the state file of an earlier daemon tells. */
export interface RememberedPosition {
  readonly lsn: Lsn;
  /** Not one of ours. */
  readonly byOriginal: boolean;
}

export interface StartView {
  readonly server: Pick<ServerFacts, 'timeline' | 'position' | 'segmentBytes'>;
  /** Ancestors of the server's timeline, oldest first. */
  readonly history: readonly TimelineSwitch[];
  /** What lies furthest in the receiving directory. */
  readonly received: LastReceived | undefined;
  /** Undefined while the store does not answer. */
  readonly stored: StoredPosition | undefined;
  readonly remembered: RememberedPosition | undefined;
  /** From where on the server keeps WAL for our slot. */
  readonly slotLsn: Lsn | undefined;
}

export interface Start {
  readonly timeline: number;
  /** Of a segment. */
  readonly lsn: Lsn;
  /** What it was chosen by. */
  readonly because: string;
  /** Whether all that tells was asked: only then is WAL that the server does not have any more known to be missing. */
  readonly isCertain: boolean;
}

/** A part of the line of timelines that leads to where the server is. */
interface Stretch {
  readonly timeline: number;
  /** Where it was left; of the last one, where the server is. */
  readonly end: Lsn;
  readonly isLeft: boolean;
}

/**
 * Where receiving begins: behind what is furthest of all that was received, be it in the store or still in the directory; at the beginning of a
 * segment, and on the timeline that was received until that one is at its end. Earlier, where the slot holds WAL that is missing before that. Where nothing was received: what an earlier daemon remembered, else
 * what the slot holds, else where the server is.
 *
 * Throws `wal-timeline-ahead` (an old primary, or another cluster), `wal-diverged` (a standby was promoted that had not seen all that was received),
 * `wal-position-ahead` (retryable) or `wal-position-unknown` (retryable).
 */
export function decideStart(view: StartView): Start {
  const line = lineOf(view);
  const isCertain = view.stored !== undefined;
  const behindReceived = view.received && behind(view.received, 'was received last', line, view);
  const behindStored = view.stored?.last === undefined ? undefined : behind(storedSegment(view), 'is stored last', line, view);
  refuseOldPrimary(view, behindReceived, behindStored);
  const missing = view.stored?.missing;
  if (missing !== undefined) return { ...atMissing(missing, view), isCertain };
  const furthest = [behindStored, behindReceived].filter((place) => place !== undefined).toSorted((a, b) => comparePlaces(line, a, b));
  const place = furthest.at(-1);
  if (place !== undefined) return { ...place, isCertain };
  if (!isCertain) throw unknownPosition();
  return { ...withoutWal(view, line), isCertain };
}

/** An old version of the original stored unfinished segments under the names of whole ones: its last one is received again, to be compared. */
function storedSegment({ stored, remembered, received }: StartView): LastReceived {
  return { name: stored?.last ?? '', isPartial: remembered?.byOriginal === true && received === undefined };
}

function lineOf({ server, history }: StartView): readonly Stretch[] {
  const left = history.map(({ timeline, switchLsn }) => ({ timeline, end: switchLsn, isLeft: true }));
  return [...left, { timeline: server.timeline, end: server.position, isLeft: false }];
}

type Place = Omit<Start, 'isCertain'>;

/** What comes after a segment; a partial one is received again from its beginning. */
function behind({ name, isPartial }: LastReceived, what: string, line: readonly Stretch[], { server }: StartView): Place {
  const { timeline } = parseWalName(name, server.segmentBytes);
  const begin = startLsnOf(name, server.segmentBytes);
  const lsn = isPartial ? begin : begin + BigInt(server.segmentBytes);
  const index = line.findIndex((stretch) => stretch.timeline === timeline);
  const stretch = line[index];
  if (stretch === undefined) throw timelineAhead(`timeline ${timeline}, of which ${name} ${what}`, server.timeline);
  const because = `${name} ${what}`;
  if (lsn < stretch.end || (lsn === stretch.end && !stretch.isLeft)) return { timeline, lsn, because };
  if (lsn === stretch.end) return { timeline: line[index + 1]?.timeline ?? server.timeline, lsn, because };
  if (!stretch.isLeft) throw positionAhead(because, lsn, server.position);
  throw new OperatorError(
    'wal-diverged',
    `${because}, but the server left timeline ${timeline} at ${formatLsn(stretch.end)}: it is not in its history`,
    { hint: 'A standby was promoted that had not seen this WAL. Receiving goes on where its timeline begins.' },
  );
}

function atMissing(missing: string, { server: { segmentBytes } }: StartView): Place {
  const { timeline } = parseWalName(missing, segmentBytes);
  return { timeline, lsn: startLsnOf(missing, segmentBytes), because: `${missing} is missing before what is stored` };
}

function comparePlaces(line: readonly Stretch[], a: Place, b: Place): number {
  const indexOf = ({ timeline }: Place) => line.findIndex((stretch) => stretch.timeline === timeline);
  return indexOf(a) - indexOf(b) || Number(a.lsn - b.lsn);
}

/** Another server has gone on on a newer timeline, unless it is this one from which we receive. */
function refuseOldPrimary({ server, stored }: StartView, received: Place | undefined, behindStored: Place | undefined): void {
  const newest = stored?.newestTimeline;
  if (newest === undefined || newest <= server.timeline) return;
  const isFollowed = received !== undefined && (behindStored === undefined || received.lsn >= behindStored.lsn);
  if (!isFollowed) throw timelineAhead(`timeline ${newest}, whose history is stored`, server.timeline);
}

function withoutWal({ remembered, slotLsn, server }: StartView, line: readonly Stretch[]): Place {
  const at = (lsn: Lsn, because: string): Place => {
    const { timeline } = line.find(({ end }) => end > lsn) ?? server;
    return { timeline, lsn: lsn - (lsn % BigInt(server.segmentBytes)), because };
  };
  if (remembered !== undefined && remembered.lsn <= server.position) return at(remembered.lsn, 'the state file says so');
  if (slotLsn !== undefined) return at(slotLsn, 'the slot begins there');
  return at(server.position, 'the server is there');
}

function timelineAhead(what: string, timeline: number): OperatorError {
  return new OperatorError('wal-timeline-ahead', `the server, on timeline ${timeline}, does not know ${what}`, {
    hint: 'It is an old primary, a copy or another cluster. Name the current primary in "nodes". A copy that is to stay needs a site of its own.',
  });
}

function positionAhead(because: string, lsn: Lsn, position: Lsn): OperatorError {
  return new OperatorError('wal-position-ahead', `${because}, up to ${formatLsn(lsn)}, and the server is only at ${formatLsn(position)}`, {
    retryable: true,
    hint: 'A standby that lags catches up; a server that was restored to an earlier time needs a site of its own.',
  });
}

function unknownPosition(): OperatorError {
  return new OperatorError('wal-position-unknown', 'nothing that was received lies here, and the store does not tell what it has', {
    retryable: true,
    hint: 'Receiving begins once the store answers: otherwise WAL that is still to be had could be left out.',
  });
}
