import type { Lsn } from './lsn.ts';

/** Where physical streaming shall begin. */
export interface StreamStart {
  readonly startLsn: Lsn;
  readonly timeline: number;
  /** Physical replication slot; without one the server keeps WAL only as long as `wal_keep_size` tells. */
  readonly slot?: string | undefined;
}

/** What a walsender sends while it streams. */
export type StreamMessage =
  | {
      readonly kind: 'wal';
      /** Of the first byte. */
      readonly startLsn: Lsn;
      /** End of the server's WAL when it was sent. */
      readonly serverEnd: Lsn;
      /** Valid until the next message is asked for. */
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'keepalive'; readonly serverEnd: Lsn; readonly replyRequested: boolean };

/** How far WAL has come on our side. */
export interface StandbyStatus {
  readonly written: Lsn;
  /** Durable, as the site's `wal_durability` says. */
  readonly flushed: Lsn;
  readonly applied: Lsn;
}

/** The server has nothing more on the timeline that was asked for. */
export interface TimelineEnd {
  readonly nextTimeline: number;
  /** Where the next timeline begins. */
  readonly switchLsn: Lsn;
}

/** Physical replication under way, in protocol terms "copy both" mode. */
export interface ReplicationStream extends AsyncDisposable {
  /** The next message; undefined once the server has ended the timeline. Rejects with `postgres-unreachable` (retryable), `postgres-error` or `postgres-protocol`. */
  next(): Promise<StreamMessage | undefined>;
  /** After {@link next} resolved to undefined: what follows; undefined where the server stopped without telling (it shuts down). */
  end(): Promise<TimelineEnd | undefined>;
  /** Sent at once, without waiting for the server. */
  sendStatus(status: StandbyStatus): void;
}
