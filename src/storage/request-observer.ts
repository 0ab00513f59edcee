import type { ObjectEntry } from './object-store.ts';

export type StoreOperation = 'put' | 'get' | 'head' | 'list' | 'delete' | 'delete_many' | 'remove_unfinished' | 'create';

/** A request to a store that has ended; of a get and a listing, once what it gave was read or left. */
export interface StoreRequest {
  readonly operation: StoreOperation;
  /** Of the object, or what the keys of a listing begin with. */
  readonly key: string;
  /** Of content that went one way or the other; undefined where none does. */
  readonly bytes?: number | undefined;
  readonly durationMs: number;
  /** `ok`, or what went wrong: the code of the error, `other` where it has none. */
  readonly outcome: string;
  /** That in words. */
  readonly because?: string | undefined;
  /** What a put has stored. */
  readonly entry?: ObjectEntry | undefined;
  /** What a deletion of many has deleted. */
  readonly deletedKeys?: readonly string[] | undefined;
}

/** Hears of every request. Must neither throw nor take time. */
export interface RequestObserver {
  ended(request: StoreRequest): void;
  /** May still deliver something, for a short time. */
  close?(): Promise<void>;
}
