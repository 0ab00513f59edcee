import assert from 'node:assert/strict';
import { OperatorError } from '../lib/errors.ts';
import { type BackupLabel, parseBackupLabel } from '../postgres/backup-label.ts';
import type { PgConnection } from '../postgres/client.ts';
import { type Lsn, parseLsn } from '../postgres/lsn.ts';
import { walNameOf } from '../postgres/wal-name.ts';

const label = 'pghoard_base_backup';
const markerLabel = 'pghoard_end_of_backup';
const statementsSince15 = 150_000;
const idleTimeoutSince14 = 140_000;

/** What PostgreSQL said at the end of the backup. */
export interface BackupEnd {
  /** Contents of `backup_label`: without it the copy must not be started. */
  readonly labelText: string;
  readonly label: BackupLabel;
  /** The copy is consistent once recovery has come this far. */
  readonly stopLsn: Lsn;
  /** Recovery can stop at any time from here on. */
  readonly endTime: Date;
  /** Last segment needed to reach `endTime`. Absent on a standby. */
  readonly endWalSegment?: string;
}

/**
 * A non-exclusive base backup, which lives exactly as long as its connection: closing that gives the backup up, and if it is lost the
 * server forgets the backup. Works on a standby too.
 */
export class BackupSession {
  readonly connection: PgConnection;
  /** Aborted, with the reason, when the connection is gone. */
  readonly lost: AbortSignal;
  readonly #startTimeFallback: Date;
  readonly #standby: boolean;

  private constructor(connection: PgConnection, lost: AbortSignal, started: { time: Date; standby: boolean }) {
    this.connection = connection;
    this.lost = lost;
    this.#startTimeFallback = started.time;
    this.#standby = started.standby;
  }

  /** Waits for a checkpoint, a fast one. */
  static async begin(connection: PgConnection, signal: AbortSignal): Promise<BackupSession> {
    const lost = new AbortController();
    connection.onLost((error?: unknown) => lost.abort(connectionLost(error)));
    const started = await abortable(startBackup(connection), AbortSignal.any([signal, lost.signal]));
    return new BackupSession(connection, lost.signal, started);
  }

  /** Ends the backup and makes the server finish the WAL segment that it needs last, so that it can be archived at once. */
  async end(signal: AbortSignal): Promise<BackupEnd> {
    return abortable(this.#end(), AbortSignal.any([signal, this.lost]));
  }

  async #end(): Promise<BackupEnd> {
    const { connection } = this;
    // Not waiting for the archive: what archives is this very program, and the segment is safe in the server until then.
    const call = connection.serverVersion >= statementsSince15 ? 'pg_backup_stop(false)' : 'pg_stop_backup(false, false)';
    const [stop] = await connection.query<{ lsn: string; labelfile: string }>(`SELECT lsn::text AS lsn, labelfile FROM pg_catalog.${call}`);
    assert(stop, 'stopping a backup returns a row');
    const backupLabel = parseBackupLabel(stop.labelfile, { startTimeFallback: this.#startTimeFallback });
    return { labelText: stop.labelfile, label: backupLabel, stopLsn: parseLsn(stop.lsn), ...(await this.#markEnd(backupLabel)) };
  }

  async #markEnd(backupLabel: BackupLabel): Promise<{ endTime: Date; endWalSegment?: string }> {
    const { connection } = this;
    if (this.#standby) {
      const [row] = await connection.query<{ time: string }>(`SELECT ${utc('now()')} AS time`);
      return { endTime: new Date(row?.time ?? '') };
    }
    // The transaction id makes this statement's commit a record in the WAL: recovery can prove that it has reached this time.
    const [marker] = await connection.query<{ time: string }>(`SELECT ${utc('now()')} AS time, pg_catalog.txid_current()`);
    const [position] = await connection.query<{ lsn: string; segment_bytes: string; may_switch: boolean }>(
      `SELECT pg_catalog.pg_current_wal_insert_lsn()::text AS lsn,
              (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_segment_size') AS segment_bytes,
              pg_catalog.has_function_privilege('pg_catalog.pg_switch_wal()', 'EXECUTE') AS may_switch`,
    );
    assert(marker && position, 'SELECT without FROM returns a row');
    await this.#switchWal(position.may_switch);
    const timeline = Number.parseInt(backupLabel.startWalSegment.slice(0, 8), 16);
    const endWalSegment = walNameOf(parseLsn(position.lsn) - 1n, timeline, Number(position.segment_bytes));
    return { endTime: new Date(marker.time), endWalSegment };
  }

  /** Starting a backup switches to a new segment too, and a role that got this far may do that. */
  async #switchWal(allowed: boolean): Promise<void> {
    const { connection } = this;
    if (allowed) await connection.query('SELECT pg_catalog.pg_switch_wal()');
    else {
      await connection.query(startCall(connection.serverVersion), [markerLabel]);
      const stop = connection.serverVersion >= statementsSince15 ? 'pg_backup_stop(false)' : 'pg_stop_backup(false, false)';
      await connection.query(`SELECT 1 FROM pg_catalog.${stop}`);
    }
  }
}

async function startBackup(connection: PgConnection): Promise<{ time: Date; standby: boolean }> {
  await prepare(connection);
  try {
    await connection.query(startCall(connection.serverVersion), [label]);
  } catch (error) {
    throw new OperatorError('backup-refused', 'PostgreSQL did not start the backup', {
      cause: error,
      retryable: false,
      hint: 'The role needs EXECUTE on pg_backup_start and pg_backup_stop (before 15: pg_start_backup, pg_stop_backup), and wal_level must be replica or logical.',
    });
  }
  const [row] = await connection.query<{ time: string; standby: boolean }>(
    `SELECT ${utc('clock_timestamp()')} AS time, pg_catalog.pg_is_in_recovery() AS standby`,
  );
  assert(row, 'SELECT without FROM returns a row');
  return { time: new Date(row.time), standby: row.standby };
}

/** The session must outlive the copying of terabytes, and its last commit must not wait for standbys that are down. */
async function prepare(connection: PgConnection): Promise<void> {
  await connection.query('SET statement_timeout = 0');
  await connection.query('SET lock_timeout = 0');
  await connection.query('SET synchronous_commit = local');
  if (connection.serverVersion >= idleTimeoutSince14) await connection.query('SET idle_session_timeout = 0');
}

function startCall(version: number): string {
  return version >= statementsSince15
    ? 'SELECT pg_catalog.pg_backup_start($1, true)'
    : 'SELECT pg_catalog.pg_start_backup($1, true, false)';
}

/** Milliseconds, cut off: never later than what the server meant. */
function utc(expression: string): string {
  return `pg_catalog.to_char(pg_catalog.${expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

function connectionLost(cause: unknown): OperatorError {
  return new OperatorError('postgres-connection-lost', 'the connection to PostgreSQL was lost during the backup, and with it the backup', {
    ...(cause === undefined ? {} : { cause }),
    retryable: true,
    hint: "Was the server restarted, or the session terminated? See PostgreSQL's log. The backup is tried again.",
  });
}

/** Stops waiting when aborted; what was asked for goes on until the connection is closed. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => {});
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const leave = () => reject(signal.reason as Error);
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
