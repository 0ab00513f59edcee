import type { Lsn } from '../../postgres/lsn.ts';

/** What a server is told is safe. */
export interface WalDurability {
  /** What is safe is in the store, else on our disk. */
  readonly isInStore: boolean;
  /** Why nothing more becomes safe although WAL arrives, if so. */
  readonly obstacle?: string | undefined;
  /** Begins to follow a stream; `onAdvance` is called whenever more of it is safe. */
  follow(from: StreamPlace, onAdvance: () => void): FollowedWal;
}

export interface StreamPlace {
  readonly timeline: number;
  readonly segmentBytes: number;
  /** Start of the segment that is received first. */
  readonly startLsn: Lsn;
}

/** How much of a stream is safe. Disposing ends what is under way for it. */
export interface FollowedWal extends AsyncDisposable {
  /** Up to where WAL is safe. */
  readonly durable: Lsn;
  /** Up to here the WAL is in the receiving directory and fsynced. */
  received(lsn: Lsn): void;
}

/** `wal_durability: local`: what is on our disk is safe. */
export const localDurability: WalDurability = {
  isInStore: false,
  follow({ startLsn }, onAdvance) {
    let durable = startLsn;
    return {
      get durable() {
        return durable;
      },
      received(lsn) {
        durable = lsn;
        onAdvance();
      },
      async [Symbol.asyncDispose]() {},
    };
  },
};
