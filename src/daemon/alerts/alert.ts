import type { AlertName, Severity } from './alert-catalogue.ts';

/** Something that is wrong. */
export interface Alert {
  readonly name: AlertName;
  readonly severity: Severity;
  /** Null: the daemon as a whole. */
  readonly site: string | null;
  readonly since: Date;
  /** Why, in words. */
  readonly because: string;
  /** What to do next. */
  readonly hint: string;
  /** How often it came in the last hour. */
  readonly times: number;
}

/** A moment on both clocks: the one that people read and that may be set, and the one that only grows. */
export interface Moment {
  readonly now: Date;
  readonly monotonicMs: number;
}
