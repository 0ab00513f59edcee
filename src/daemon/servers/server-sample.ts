import type { Lsn } from '../../postgres/lsn.ts';
import type { Postmaster } from '../../postgres/postmaster-file.ts';

/** What a server says of itself. */
export interface ServerAnswer {
  readonly role: 'primary' | 'standby';
  /** `server_version_num`, such as 150018. */
  readonly pgVersion: number;
  readonly systemIdentifier: bigint;
  /** WAL segment size in bytes. */
  readonly segmentBytes: number;
  /** Of a standby: that of what it receives, as far as we may know, else of its last restart point. */
  readonly timeline: number;
  /** Up to where its WAL is flushed; of a standby, up to where it is replayed. */
  readonly lsn: Lsn;
  /** By its own clock, just before it told the rest; absent where we could not ask by SQL. */
  readonly time?: Date;
  /** Of a primary that let us ask by SQL. */
  readonly writes?: Writes;
  /** Of a standby that let us ask by SQL. */
  readonly replay?: Replay;
  /** Tells servers apart that have the same system identifier; absent where we could not ask by SQL. */
  readonly postmaster?: Postmaster;
}

/** What tells whether anything was committed between two answers. */
export interface Writes {
  /** Up to where WAL has been written, flushed or not. */
  readonly insertedLsn: Lsn;
  /** The next transaction that can end; undefined while an earlier one is under way. */
  readonly nextXid: string | undefined;
}

/** How a standby follows. */
export interface Replay {
  /** What streaming replication brought; undefined where it has brought nothing since the start. */
  readonly receivedLsn: Lsn | undefined;
  readonly isPaused: boolean;
  /** Since the commit that was replayed last, by the clocks of both servers; undefined where none was. On an idle cluster this grows without any lag. */
  readonly lastCommitSeconds: number | undefined;
}

export interface ServerSample extends ServerAnswer {
  /** When the question was asked, by our clock: whatever was committed before lies before `lsn`. */
  readonly sampledAt: Date;
}

/** A server of a site as it is known now. */
export interface NodeView {
  /** Its place in `nodes`. */
  readonly index: number;
  /** For people; never holds a secret. */
  readonly label: string;
  /** What it said last, even if it does not answer any more. */
  readonly sample: ServerSample | undefined;
  /** Why it cannot be used now; undefined while it answers. */
  readonly obstacle: string | undefined;
}
