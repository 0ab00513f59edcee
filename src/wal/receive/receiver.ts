import type { Lsn } from '../../postgres/lsn.ts';

/** Something that brings a site's WAL here by itself. */
export interface WalReceiver {
  readonly status: ReceiverStatus;
  start(): void;
  /** Ends receiving; what has arrived whole by then is still archived. */
  stop(): Promise<void>;
}

/** For the state file. */
export interface ReceiverStatus {
  /** As in `active_backup_mode`. */
  readonly mode: 'pg_receivexlog' | 'walreceiver';
  /** WAL arrives, or would if the server wrote any. */
  readonly running: boolean;
  /** When it was last seen running, or was made. */
  readonly latestActivity: Date;
  /** What the server was told to be safe, where it is us who tell it. */
  readonly lastFlushed: Lsn | undefined;
  /** Up to where the store has all that was received, where beginnings of segments are stored too. */
  readonly stored?: StoredUpTo | undefined;
  /** Why it is as it is. */
  readonly because: string;
  /** Files that wait for another attempt to be archived, with the reason. */
  readonly waiting: readonly { readonly name: string; readonly because: string }[];
  /** Files that were set aside because they are not what their names say, or contradict the store. */
  readonly rejected: readonly string[];
}

export interface StoredUpTo {
  readonly timeline: number;
  readonly lsn: Lsn;
}

/** WAL that could not be received any more. Backups from before it reach only to its beginning. */
export interface WalHole {
  /** The first segment that is missing; undefined where nothing was known of the time before. */
  readonly from: string | undefined;
  /** Where receiving went on. */
  readonly to: string;
  readonly noticed: Date;
}
