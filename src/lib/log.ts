import pino from 'pino';

/** Structured logging: `log.info({ site, segment }, 'stored WAL segment')`. Never pass secrets. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Log;
}

export const logLevels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const;
export type LogLevel = (typeof logLevels)[number];

const pinoLevels: Record<LogLevel, pino.Level> = { DEBUG: 'debug', INFO: 'info', WARNING: 'warn', ERROR: 'error', CRITICAL: 'fatal' };

export interface LogOptions {
  readonly level: LogLevel;
  /** `text`: `time level message key=value …`; `short`: the same without the time; `json`: one object a line. */
  readonly format: 'text' | 'short' | 'json';
}

/** The level of a running log can be changed (SIGHUP). */
export interface RootLog extends Log {
  setLevel(level: LogLevel): void;
}

/** A log to standard error, written synchronously so that the last words of a dying process are not lost. */
export function createLog(options: LogOptions): RootLog {
  const destination = pino.destination({ fd: 2, sync: true });
  const stream =
    options.format === 'json' ? destination : { write: (line: string) => void destination.write(asText(line, options.format === 'text')) };
  const root = pino(
    {
      level: pinoLevels[options.level],
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  return Object.assign(wrap(root), { setLevel: (level: LogLevel) => void (root.level = pinoLevels[level]) });
}

/** Says nothing; for tools and tests. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silentLog };

function wrap(logger: pino.Logger): Log {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: (fields) => wrap(logger.child(fields)),
  };
}

function asText(line: string, withTime: boolean): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as { time: string; level: string; msg?: string };
  const details = Object.entries(fields).map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return `${withTime ? `${time} ` : ''}${level.toUpperCase().padEnd(5)} ${msg ?? ''}${details.join('')}\n`;
}
