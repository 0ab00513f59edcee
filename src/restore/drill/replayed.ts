import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DrillEvidence } from '../../catalog/evidence/drill-evidence.ts';
import { OperatorError } from '../../lib/errors.ts';
import { type Lsn, parseLsn } from '../../postgres/lsn.ts';
import { parseTimelineHistory } from '../../postgres/timeline-history.ts';
import { historyNameOf, startLsnOf } from '../../postgres/wal-name.ts';
import type { ScratchServer } from './scratch-server.ts';

/** Up to where a server has replayed WAL. */
export interface Replayed {
  readonly to: NonNullable<DrillEvidence['replayed_to']>;
  readonly lsn: Lsn;
}

interface Row {
  readonly lsn: string | null;
  readonly time: Date | null;
  readonly timeline: number;
}

/** `server`: has ended its recovery. It stands on a timeline of its own, and the one that it replayed is the last one in that one's history. */
export async function replayedBy(server: ScratchServer, dataDirectory: string, signal: AbortSignal): Promise<Replayed> {
  await using connection = await server.connect('template1', signal);
  await connection.query('CHECKPOINT');
  const [row] = await connection.query<Row>(
    `SELECT pg_catalog.pg_last_wal_replay_lsn()::text AS lsn, pg_catalog.pg_last_xact_replay_timestamp() AS time, timeline_id AS timeline
       FROM pg_catalog.pg_control_checkpoint()`,
  );
  if (row === undefined || row.lsn === null) throw new OperatorError('drill-failed', 'the restored server has not replayed any WAL');
  const history = parseTimelineHistory(await readFile(join(dataDirectory, 'pg_wal', historyNameOf(row.timeline)), 'utf8'));
  const timeline = history.at(-1)?.timeline ?? row.timeline;
  return { to: { timeline, lsn: row.lsn, time: row.time === null ? null : new Date(row.time).toISOString() }, lsn: parseLsn(row.lsn) };
}

/** From the first one to that in which `lsn` is, both included. */
export function segmentsBetween(first: string, lsn: Lsn, segmentBytes: number): number {
  const bytes = BigInt(segmentBytes);
  return Number(lsn / bytes - startLsnOf(first, segmentBytes) / bytes) + 1;
}
