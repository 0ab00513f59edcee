import assert from 'node:assert/strict';
import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import { connect, type PgConnection } from '../../postgres/client.ts';
import { parseLsn } from '../../postgres/lsn.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { parseSize, readServerFacts } from '../../postgres/replication.ts';
import type { ServerProbe } from './server-probe.ts';
import type { ServerAnswer } from './server-sample.ts';

interface Link {
  readonly connection: PgConnection;
  readonly replication: boolean;
  /** At the first question. */
  role?: ServerAnswer['role'];
}

interface Row {
  readonly standby: boolean;
  readonly time: string;
  readonly snapshot: string | null;
  readonly inserted: string | null;
  readonly system_identifier: string;
  readonly segment_size: string;
  readonly timeline: number;
  readonly lsn: string | null;
  readonly received: string | null;
  readonly paused: boolean | null;
  readonly last_commit: string | null;
  readonly port: string;
  readonly started: string;
}

/** The time is that before the snapshot, which is taken before anything is answered. No function may be called in the role that it is not for. A primary's control file knows its timeline only from the first checkpoint on. */
const question = `
  SELECT standby,
         pg_catalog.to_char(pg_catalog.statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS time,
         (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system_identifier,
         pg_catalog.current_setting('wal_segment_size') AS segment_size,
         CASE WHEN standby
              THEN (SELECT greatest(timeline_id, min_recovery_end_timeline, (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver))
                    FROM pg_catalog.pg_control_checkpoint(), pg_catalog.pg_control_recovery())
              ELSE ('x' || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int END AS timeline,
         (CASE WHEN standby THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_flush_lsn() END)::text AS lsn,
         (CASE WHEN standby THEN NULL ELSE pg_catalog.pg_current_wal_insert_lsn() END)::text AS inserted,
         (CASE WHEN standby THEN NULL ELSE pg_catalog.txid_current_snapshot() END)::text AS snapshot,
         (CASE WHEN standby THEN pg_catalog.pg_last_wal_receive_lsn() END)::text AS received,
         CASE WHEN standby THEN pg_catalog.pg_is_wal_replay_paused() END AS paused,
         CASE WHEN standby
              THEN extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())::float8::text END AS last_commit,
         pg_catalog.current_setting('port') AS port,
         extract(epoch FROM pg_catalog.pg_postmaster_start_time())::float8::text AS started
  FROM pg_catalog.pg_is_in_recovery() AS standby`;

/** Functions of the WAL have these names since. */
const sqlSince = 100_000;
const connectOptions = { applicationName: 'pghoard', answerMsMax: 10_000 };

/** Asks over one connection per node, which is kept: by SQL, or where the role may only replicate, over the replication protocol, which tells less. */
export class PostgresProbe implements ServerProbe {
  readonly #links = new Map<PostgresNode, Link>();
  readonly #closing = new Set<Promise<void>>();

  async ask(node: PostgresNode, signal: AbortSignal): Promise<ServerAnswer> {
    const kept = this.#links.get(node);
    if (kept !== undefined && !kept.connection.closed) {
      try {
        return await this.#askOver(node, kept, signal);
      } catch (error) {
        // A server that was restarted meanwhile has ended the connection, and that is nothing to complain of.
        if (signal.aborted || !isOperatorError(error, 'postgres-unreachable')) throw error;
      }
    }
    const link = await openLink(node, signal);
    try {
      return await this.#askOver(node, link, signal);
    } catch (error) {
      // A role that may not call one of the functions.
      if (link.replication || !isOperatorError(error, 'postgres-error')) throw error;
      return this.#askOver(node, await replicationLink(node, signal), signal);
    }
  }

  async close(): Promise<void> {
    for (const node of this.#links.keys()) this.#drop(node);
    await Promise.all(this.#closing);
  }

  async #askOver(node: PostgresNode, link: Link, signal: AbortSignal): Promise<ServerAnswer> {
    this.#links.set(node, link);
    const drop = () => this.#drop(node);
    signal.addEventListener('abort', drop, { once: true });
    try {
      signal.throwIfAborted();
      const answer = await (link.replication ? askToReplicate(link.connection) : askBySql(link.connection));
      // A node may name several hosts: which of them it means can have changed with the role.
      if ((link.role ??= answer.role) !== answer.role) drop();
      return answer;
    } catch (error) {
      drop();
      throw error;
    } finally {
      signal.removeEventListener('abort', drop);
    }
  }

  #drop(node: PostgresNode): void {
    const link = this.#links.get(node);
    this.#links.delete(node);
    if (link === undefined) return;
    const closing: Promise<void> = link.connection.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

async function openLink(node: PostgresNode, signal: AbortSignal): Promise<Link> {
  try {
    const connection = await connect(node.conninfo, { ...connectOptions, signal });
    if (connection.serverVersion >= sqlSince) return { connection, replication: false };
    await connection.close();
  } catch (error) {
    if (!mayReplicate(error)) throw error;
    return replicationLink(node, signal).catch(() => {
      throw error;
    });
  }
  return replicationLink(node, signal);
}

async function replicationLink({ conninfo }: PostgresNode, signal: AbortSignal): Promise<Link> {
  return { connection: await connect(conninfo, { ...connectOptions, replication: true, signal }), replication: true };
}

/** A role that only backs up is often let in for nothing else, and its password file may know no other database. */
function mayReplicate(error: unknown): boolean {
  return isOperatorError(error, 'postgres-authentication', 'postgres-refused') && !error.retryable;
}

async function askBySql(connection: PgConnection): Promise<ServerAnswer> {
  const [row] = await connection.query<Row>(question);
  assert(row, 'a function in FROM returns a row');
  const segmentBytes = parseSize(row.segment_size);
  if (segmentBytes === undefined) throw new OperatorError('postgres-error', `the server has a wal_segment_size of ${row.segment_size}`);
  return {
    role: row.standby ? 'standby' : 'primary',
    time: new Date(row.time),
    ...(row.inserted !== null && { writes: { insertedLsn: parseLsn(row.inserted), nextXid: nextXidOf(row.snapshot ?? '') } }),
    pgVersion: connection.serverVersion,
    systemIdentifier: BigInt(row.system_identifier),
    segmentBytes,
    timeline: row.timeline,
    lsn: row.lsn === null ? 0n : parseLsn(row.lsn),
    ...(row.standby && { replay: replayOf(row) }),
    postmaster: { port: Number(row.port), startedSeconds: Number(row.started) },
  };
}

/** `xmin:xmax:` and what is under way: nothing is if both are the same. */
function nextXidOf(snapshot: string): string | undefined {
  const [xmin, xmax] = snapshot.split(':');
  return xmin === xmax ? xmax : undefined;
}

function replayOf({ received, paused, last_commit: lastCommit }: Row) {
  return {
    receivedLsn: received === null ? undefined : parseLsn(received),
    isPaused: paused === true,
    lastCommitSeconds: lastCommit === null ? undefined : Number(lastCommit),
  };
}

async function askToReplicate(connection: PgConnection): Promise<ServerAnswer> {
  const { systemIdentifier, timeline, position, version, segmentBytes } = await readServerFacts(connection);
  const role = await roleOver(connection);
  return { role, pgVersion: version, systemIdentifier, segmentBytes, timeline, lsn: position };
}

/** SHOW is known to replication connections since PostgreSQL 10. */
async function roleOver(connection: PgConnection): Promise<ServerAnswer['role']> {
  if (connection.serverVersion < 100_000) return 'primary';
  const setting = connection.serverVersion >= 140_000 ? 'in_hot_standby' : 'transaction_read_only';
  const [row] = await connection.query(`SHOW ${setting}`);
  return row?.[setting] === 'on' ? 'standby' : 'primary';
}
