import { OperatorError } from '../../lib/errors.ts';
import type { PgConnection } from '../../postgres/client.ts';
import { identifySystem, readServerFacts, readTimelineHistory } from '../../postgres/replication.ts';
import { reserveSlot } from '../../postgres/replication-slot.ts';
import type { TimelineSwitch } from '../../postgres/timeline-history.ts';
import { parseWalName, walNameOf } from '../../postgres/wal-name.ts';
import { lastReceived, plantStart } from './partial-files.ts';
import type { WalHole } from './receiver.ts';
import { compareWalPosition } from './wal-position.ts';

export interface LostPlace {
  readonly directory: string;
  readonly slot: string | null;
  /** The segment that cannot be had any more; undefined where nothing is known of the time before. */
  readonly missingFrom: (segmentBytes: number) => Promise<string | undefined>;
  readonly now: Date;
}

/** Has receiving go on with the oldest WAL that the server certainly has: what the slot holds, else what it writes now. */
export async function restartAfterHole(connection: PgConnection, { directory, slot, missingFrom, now }: LostPlace): Promise<WalHole> {
  const { segmentBytes } = await readServerFacts(connection);
  const from = await missingFrom(segmentBytes);
  const held = slot === null ? undefined : await reserveSlot(connection, slot);
  const { timeline, position } = await identifySystem(connection);
  const candidates = [held, position].filter((lsn) => lsn !== undefined).map((lsn) => walNameOf(lsn, timeline, segmentBytes));
  const to = candidates.find((name) => from === undefined || compareWalPosition(name, from) > 0);
  if (to === undefined) {
    throw new OperatorError(
      'wal-position-ahead',
      `the server is at ${candidates.at(-1)}, which is not behind ${from}, where WAL was lost`,
      {
        retryable: true,
      },
    );
  }
  await plantStart(directory, to);
  return { from, to, noticed: now };
}

/** Has receiving go on where the server's timeline left the one that was received. Resolves to the segment. */
export async function restartOnNewTimeline(connection: PgConnection, directory: string, clear: () => Promise<void>): Promise<string> {
  const { timeline, segmentBytes } = await readServerFacts(connection);
  const last = await lastReceived(directory);
  const ours = last === undefined ? undefined : parseWalName(last.name, segmentBytes).timeline;
  const fork = ours === undefined ? undefined : followingTimeline(ours, await readTimelineHistory(connection, timeline), timeline);
  if (fork === undefined) {
    throw new OperatorError(
      'wal-timeline-ahead',
      `timeline ${timeline} of the server does not come from timeline ${ours}, which was received`,
      {
        hint: 'It is another cluster, or was restored to an earlier time: give it a site of its own.',
      },
    );
  }
  await clear();
  const start = walNameOf(fork.begin, fork.timeline, segmentBytes);
  await plantStart(directory, start);
  return start;
}

/** Where `ours` was left for the timeline that followed it, according to the history of `current`. */
export function followingTimeline(
  ours: number,
  history: readonly TimelineSwitch[],
  current: number,
): { timeline: number; begin: bigint } | undefined {
  const index = history.findIndex((ancestor) => ancestor.timeline === ours);
  const left = history[index];
  return left && { timeline: history[index + 1]?.timeline ?? current, begin: left.switchLsn };
}
