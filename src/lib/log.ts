/** Structured logging: `log.info({ site, segment }, 'stored WAL segment')`. Never pass secrets. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A log that adds these fields to every message. */
  child(fields: object): Log;
}

export const logLevels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['text', 'short', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

/** Says nothing; for tools and tests. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silentLog };
