import type { ObjectStore } from '../../../src/storage/object-store.ts';
import type { Answer, HttpFaultProxy, SeenRequest } from './http-fault-proxy.ts';

/** How one kind of store says things over HTTP. */
export interface StoreDialect {
  /** Requests that carry the bytes of an object or of a part of one. */
  readonly isUpload: (request: SeenRequest) => boolean;
  /** Requests for the bytes of an object. */
  readonly isDownload: (request: SeenRequest) => boolean;
  /** Requests for a page of a listing. */
  readonly isListing: (request: SeenRequest) => boolean;
  /** The request that makes an upload in parts visible. */
  readonly isCommit: (request: SeenRequest) => boolean;
  /** The store asks for fewer requests, and to be left alone for `seconds`. */
  readonly busy: (seconds: number) => Answer;
  readonly denied: Answer;
  /** The store says that it has failed, though the status is a success; absent where it never does that. */
  readonly failedWithSuccess?: Answer;
  /** The store refuses because the clocks differ; absent where it never does. */
  readonly clockSkewed?: Answer;
}

/** A driver whose requests go through a proxy that has them go wrong. */
export interface FaultWorld {
  /** The driver alone, through the proxy; uploads of more than `partBytes` go in parts. */
  readonly store: ObjectStore;
  /** The same store past the proxy. */
  readonly direct: ObjectStore;
  readonly proxy: HttpFaultProxy;
  readonly dialect: StoreDialect;
  readonly partBytes: number;
  /** How long the driver was told to wait for an answer, or for the next bytes of one. Tests keep it at one to two seconds. */
  readonly idleMs: number;
}

export interface StoreFault {
  /** Of the table of faults that a store must survive. */
  readonly row: number;
  readonly fact: string;
  readonly holds: (world: FaultWorld) => Promise<void>;
}
