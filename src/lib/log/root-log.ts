import { systemClock } from '../clock.ts';
import { type Log, type LogFormat, type LogLevel, logLevels } from '../log.ts';
import type { LogRecord } from './record.ts';
import { redactor } from './redact.ts';
import { renderers } from './render.ts';
import { isJournal, StandardError } from './standard-error.ts';
import { type SyslogOptions, severities } from './syslog-message.ts';
import { SyslogSender } from './syslog-sender.ts';

export interface LogSettings {
  readonly level: LogLevel;
  /** Undefined: what suits the place, `text` or the format for the journal of systemd. */
  readonly format?: LogFormat | undefined;
  /** Absent: not there. */
  readonly syslog?: SyslogOptions | undefined;
  /** Never to be written, whoever passes them by mistake. */
  readonly secrets?: Iterable<string> | undefined;
}

/** The log of the process, to standard error and to syslog. */
export interface RootLog extends Log {
  /** Replaces what was said before (SIGHUP), but for what the log was created with. */
  configure(settings: LogSettings): void;
  /** Gives syslog a moment to take what waits. */
  close(): Promise<void>;
}

/** `fixed`: what holds whatever is configured, such as what the command line said. */
export function createLog(fixed: Partial<LogSettings> = {}): RootLog {
  const writer = new LogWriter({ level: 'INFO', ...fixed });
  const configure = (settings: LogSettings) => writer.configure({ ...settings, ...fixed });
  return { ...logTo(writer, {}), configure, close: () => writer.close() };
}

class LogWriter {
  readonly #standardError = new StandardError();
  readonly #isJournal = isJournal(process.env['JOURNAL_STREAM']);
  #settings: LogSettings;
  #redacted: (record: LogRecord) => LogRecord;
  #syslog: { readonly options: string; readonly sender: SyslogSender } | undefined;

  constructor(settings: LogSettings) {
    this.#settings = settings;
    this.#redacted = redactor(settings.secrets ?? []);
    this.configure(settings);
  }

  configure(settings: LogSettings): void {
    this.#settings = settings;
    this.#redacted = redactor(settings.secrets ?? []);
    const options = settings.syslog && JSON.stringify(settings.syslog);
    if (options === this.#syslog?.options) return;
    void this.#syslog?.sender.close();
    this.#syslog = settings.syslog && options !== undefined ? { options, sender: this.#send(settings.syslog) } : undefined;
  }

  write(level: LogLevel, fields: object, message: string): void {
    if (logLevels.indexOf(level) < logLevels.indexOf(this.#settings.level)) return;
    const record = this.#redacted({ time: systemClock.now(), level, message, fields: inOneScheme(fields) });
    this.#writeHere(record);
    this.#syslog?.sender.send(record);
  }

  async close(): Promise<void> {
    await this.#syslog?.sender.close();
    this.#syslog = undefined;
  }

  #writeHere(record: LogRecord): void {
    const { lost } = this.#standardError;
    const isWritten = this.#standardError.write(this.#line(record));
    if (!isWritten || lost === 0) return;
    const message = 'log lines could not be written to standard error, and are lost';
    this.#standardError.write(this.#line({ time: systemClock.now(), level: 'WARNING', message, fields: { lines: lost } }));
  }

  /** The journal takes the priority from the beginning of the line. */
  #line(record: LogRecord): string {
    const text = renderers[this.#settings.format ?? (this.#isJournal ? 'bare' : 'text')](record);
    return this.#isJournal ? prioritized(text, severities[record.level]) : text;
  }

  #send(options: SyslogOptions): SyslogSender {
    const tell = (level: 'INFO' | 'WARNING', fields: object, message: string) => this.write(level, fields, message);
    return new SyslogSender(options, { tell });
  }
}

/** `storedBytes` is written `stored_bytes`, as everywhere outside of the code. */
function inOneScheme(fields: object): LogRecord['fields'] {
  const renamed = Object.entries(fields).map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]);
  return Object.fromEntries(renamed) as LogRecord['fields'];
}

function prioritized(text: string, severity: number): string {
  const prefix = `<${severity}>`;
  return prefix + text.replaceAll('\n', `\n${prefix}`);
}

function logTo(writer: LogWriter, always: object): Log {
  const at = (level: LogLevel) => (fields: object, message: string) => writer.write(level, { ...always, ...fields }, message);
  return {
    debug: at('DEBUG'),
    info: at('INFO'),
    warn: at('WARNING'),
    error: at('ERROR'),
    child: (fields) => logTo(writer, { ...always, ...fields }),
  };
}
