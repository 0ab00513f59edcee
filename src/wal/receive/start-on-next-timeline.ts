import type { PgConnection } from '../../postgres/client.ts';
import { readTimelineHistory, type ServerFacts } from '../../postgres/replication.ts';
import { parseWalName, startLsnOf, walNameOf } from '../../postgres/wal-name.ts';
import { lastReceived, plantStart } from './partial-files.ts';
import { followingTimeline } from './restart-position.ts';

/**
 * Has pg_receivewal begin on the next timeline where all of the previous one has been received: asked for what lies behind the end of a timeline, a server
 * has nothing to stream, and pg_receivewal takes that for an error. It comes to that where a timeline ends with a segment, as that of an idle primary does.
 * Resolves to the segment with which it begins, or undefined where it is to go on by itself.
 */
export async function startOnNextTimeline(connection: PgConnection, server: ServerFacts, directory: string): Promise<string | undefined> {
  const { segmentBytes } = server;
  const last = await lastReceived(directory);
  if (last === undefined) return undefined;
  const { timeline } = parseWalName(last.name, segmentBytes);
  if (timeline >= server.timeline) return undefined;
  const next = followingTimeline(timeline, await readTimelineHistory(connection, server.timeline), server.timeline);
  const begin = startLsnOf(last.name, segmentBytes) + (last.isPartial ? 0n : BigInt(segmentBytes));
  if (next?.begin !== begin) return undefined;
  const segment = walNameOf(begin, next.timeline, segmentBytes);
  await plantStart(directory, segment);
  return segment;
}
