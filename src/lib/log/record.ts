import type { LogLevel } from '../log.ts';

/** One message of a log, before it is written anywhere. Nothing in it is secret any more. */
export interface LogRecord {
  readonly time: Date;
  readonly level: LogLevel;
  /** The first line says what happened; further ones say why, and what to do. */
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}
