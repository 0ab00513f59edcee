import assert from 'node:assert/strict';
import { OperatorError } from '../lib/errors.ts';
import { type BackupLabel, parseBackupLabel } from '../postgres/backup-label.ts';
import { startBackupSql, stopBackupSql } from '../postgres/backup-statements.ts';
import type { PgConnection } from '../postgres/client.ts';
import type { ControlFile } from '../postgres/control-file.ts';
import { endSegment } from '../postgres/end-segment.ts';
import { type Lsn, parseLsn } from '../postgres/lsn.ts';
import { lastWalNameBefore } from '../postgres/wal-name.ts';

const label = 'pghoard_base_backup';
const idleTimeoutSince14 = 140_000;

/** What PostgreSQL said at the end of the backup. */
export interface BackupEnd {
  /** Contents of `backup_label`: without it the copy must not be started. */
  readonly labelText: string;
  readonly label: BackupLabel;
  /** Recovery can stop at any time from here on. */
  readonly endTime: Date;
  /** The last segment that recovery needs: from a primary to reach `endTime`, from a standby to become consistent. */
  readonly endWalSegment: string;
  /** What comes at this position or behind it is not needed for that. */
  readonly endLsn: Lsn;
}

type WhereItEnds = Pick<BackupEnd, 'endTime' | 'endWalSegment' | 'endLsn'>;

/**
 * A non-exclusive base backup, which lives exactly as long as its connection: closing that gives the backup up, and if it is lost the
 * server forgets the backup. Works on a standby too.
 */
export class BackupSession {
  readonly connection: PgConnection;
  /** Aborted, with the reason, when the connection is gone. */
  readonly lost: AbortSignal;
  /** Where recovery will begin. */
  readonly startLsn: Lsn;
  readonly #startTimeFallback: Date;
  readonly #standby: boolean;

  private constructor(connection: PgConnection, lost: AbortSignal, started: Started) {
    this.connection = connection;
    this.lost = lost;
    this.startLsn = started.lsn;
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

  /**
   * Ends the backup, and makes a primary finish the WAL segment that the backup needs last, so that it can be archived at once. `control` is what goes into the
   * backup of the control file, read after everything else.
   */
  async end(control: ControlFile, signal: AbortSignal): Promise<BackupEnd> {
    return abortable(this.#end(control), AbortSignal.any([signal, this.lost]));
  }

  async #end(control: ControlFile): Promise<BackupEnd> {
    const { connection } = this;
    const [stop] = await connection.query<{ labelfile: string }>(stopBackupSql(connection.serverVersion, 'labelfile'));
    assert(stop, 'stopping a backup returns a row');
    const backupLabel = parseBackupLabel(stop.labelfile, { startTimeFallback: this.#startTimeFallback });
    const end = this.#standby ? await this.#endOfStandby(backupLabel, control) : await this.#markEnd(backupLabel, control);
    return { labelText: stop.labelfile, label: backupLabel, ...end };
  }

  /**
   * A standby writes no end into the WAL. Recovery takes the copy for consistent where its control file says (xlogrecovery.c, backupEndPoint), on the timeline
   * that the standby followed by then, and it must find the checkpoint.
   */
  async #endOfStandby(
    { checkpointLocation }: BackupLabel,
    { minRecoveryLsn, minRecoveryTimeline, segmentBytes }: ControlFile,
  ): Promise<WhereItEnds> {
    const [row] = await this.connection.query<{ time: string }>(`SELECT ${utc('now()')} AS time`);
    assert(row, 'SELECT without FROM returns a row');
    const needed = checkpointLocation < minRecoveryLsn ? minRecoveryLsn : checkpointLocation + 1n;
    return { endTime: new Date(row.time), endWalSegment: lastWalNameBefore(needed, minRecoveryTimeline, segmentBytes), endLsn: needed };
  }

  async #markEnd({ startWalSegment }: BackupLabel, { segmentBytes }: ControlFile): Promise<WhereItEnds> {
    const { connection } = this;
    // The transaction id makes this statement's commit a record in the WAL: recovery can prove that it has reached this time.
    const [marker] = await connection.query<{ time: string }>(`SELECT ${utc('now()')} AS time, pg_catalog.txid_current()`);
    const [position] = await connection.query<{ lsn: string }>('SELECT pg_catalog.pg_current_wal_insert_lsn()::text AS lsn');
    assert(marker && position, 'SELECT without FROM returns a row');
    await endSegment(connection);
    const timeline = Number.parseInt(startWalSegment.slice(0, 8), 16);
    const endLsn = parseLsn(position.lsn);
    return { endTime: new Date(marker.time), endWalSegment: lastWalNameBefore(endLsn, timeline, segmentBytes), endLsn };
  }
}

interface Started {
  readonly lsn: Lsn;
  readonly time: Date;
  readonly standby: boolean;
}

async function startBackup(connection: PgConnection): Promise<Started> {
  await prepare(connection);
  let lsn: Lsn;
  try {
    const [started] = await connection.query<{ lsn: string }>(startBackupSql(connection.serverVersion), [label]);
    assert(started, 'starting a backup returns a row');
    lsn = parseLsn(started.lsn);
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
  return { lsn, time: new Date(row.time), standby: row.standby };
}

/** The session must outlive the copying of terabytes, and its last commit must not wait for standbys that are down. */
async function prepare(connection: PgConnection): Promise<void> {
  await connection.query('SET statement_timeout = 0');
  await connection.query('SET lock_timeout = 0');
  await connection.query('SET synchronous_commit = local');
  if (connection.serverVersion >= idleTimeoutSince14) await connection.query('SET idle_session_timeout = 0');
}

/** Milliseconds, cut off: never later than what the server meant. */
function utc(expression: string): string {
  return `pg_catalog.to_char(pg_catalog.${expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** With the connection the server gives the backup up. */
export function connectionLost(cause: unknown): OperatorError {
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
