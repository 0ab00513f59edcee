import type { ObjectSource } from '../../src/storage/object-store.ts';

/** One way to a store: our driver, or what the vendor's own library does in the simplest way. */
export interface StoreClient {
  readonly name: string;
  /** Seconds of CPU so far, where the work is done by other processes. */
  readonly cpuSeconds?: () => number;
  /** Is given what will be put next, before the clock runs: who sends files needs it as one. */
  readonly prepare?: (source: ObjectSource) => Promise<void>;
  readonly put: (key: string, source: ObjectSource) => Promise<void>;
  /** Reads the whole object and throws it away. Resolves to how many bytes there were. */
  readonly get: (key: string) => Promise<number>;
  readonly close: () => Promise<void>;
}

/** One kind of store: a server on this machine, and the clients that are compared on it. */
export interface Contest {
  readonly name: string;
  readonly start: () => Promise<StartedContest>;
}

export interface StartedContest extends AsyncDisposable {
  readonly clients: readonly StoreClient[];
}
