import { hostname } from 'node:os';
import type { LogRecord } from './record.ts';
import { openLine, type SyslogLine } from './syslog-line.ts';
import { type SyslogOptions, syslogMessage } from './syslog-message.ts';

export interface SyslogSenderDeps {
  /** Tells of trouble, and of its end. */
  readonly tell: (level: 'INFO' | 'WARNING', fields: object, message: string) => void;
}

/** Some hours of an ordinary day. */
const waitingMax = 1_000;
const retryMsFirst = 1_000;
const retryMsMax = 30_000;
/** A line works if nothing has failed so long after a message. UDP only hears later that nobody listens. */
const settledMs = 2_000;
const closeMsMax = 2_000;
const program = 'pghoard';

/** Sends messages to syslog in their order, and never makes anybody wait: what it cannot send for long is lost, and counted. */
export class SyslogSender {
  readonly #options: SyslogOptions;
  readonly #deps: SyslogSenderDeps;
  readonly #sender = { program, host: hostname(), pid: process.pid };
  /** Not sent yet, the oldest first. */
  #waiting: Buffer[] = [];
  /** Handed over, of which it is not known that they have left. */
  #leaving: Buffer[] = [];
  #line: SyslogLine;
  #state: 'opening' | 'open' | 'settled' | 'closed' = 'opening';
  #lost = 0;
  #trouble: string | undefined;
  #retryMs = retryMsFirst;
  /** Opens or settles the line. */
  #timer: NodeJS.Timeout | undefined;
  #emptied = Promise.withResolvers<void>();

  constructor(options: SyslogOptions, deps: SyslogSenderDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#line = this.#open();
  }

  send(record: LogRecord): void {
    if (this.#state === 'closed') return;
    this.#waiting.push(syslogMessage(record, this.#options, this.#sender));
    this.#flush();
    if (this.#waiting.length <= waitingMax) return;
    this.#waiting.shift();
    this.#lost++;
    if (this.#trouble === undefined) this.#worry('it takes none', 'syslog does not take messages as fast as they come: some will be lost');
  }

  /** What still waits is given a moment. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    const emptied = Promise.withResolvers<void>();
    this.#emptied = emptied;
    const patience = setTimeout(emptied.resolve, closeMsMax);
    this.#tellEmpty();
    await emptied.promise;
    clearTimeout(patience);
    this.#state = 'closed';
    clearTimeout(this.#timer);
    await this.#line.close();
  }

  #open(): SyslogLine {
    return openLine(this.#options.address, program, {
      onOpen: () => {
        this.#state = 'open';
        this.#flush();
      },
      onRoom: () => this.#flush(),
      onEnd: (because) => this.#ended(because),
    });
  }

  #flush(): void {
    while (this.#isOpen && !this.#line.isFull) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      this.#leaving.push(message);
      this.#line.send(message, (error) => (error ? undefined : this.#hasLeft()));
    }
  }

  #hasLeft(): void {
    this.#leaving.shift();
    this.#tellEmpty();
    if (this.#state === 'open') this.#timer ??= setTimeout(() => this.#settled(), settledMs).unref();
    this.#takeHeart();
  }

  #settled(): void {
    this.#state = 'settled';
    this.#retryMs = retryMsFirst;
    this.#takeHeart();
  }

  #ended(because: string): void {
    clearTimeout(this.#timer);
    if (this.#state === 'closed') return;
    this.#state = 'opening';
    this.#waiting = [...this.#leaving, ...this.#waiting];
    this.#leaving = [];
    this.#timer = setTimeout(() => this.#reopen(), this.#retryMs).unref();
    this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax);
    if (this.#trouble !== because) this.#worry(because, `syslog gets no messages; the newest ${waitingMax} wait`);
  }

  #reopen(): void {
    this.#timer = undefined;
    this.#line = this.#open();
  }

  #worry(because: string, message: string): void {
    this.#trouble = because;
    this.#deps.tell('WARNING', { because }, message);
  }

  /** All that waited has left, and the line holds. */
  #takeHeart(): void {
    if (this.#trouble === undefined || this.#state !== 'settled' || this.#waiting.length > 0) return;
    const lost = this.#lost;
    this.#trouble = undefined;
    this.#lost = 0;
    this.#deps.tell('INFO', { lost }, 'syslog gets messages again');
  }

  #tellEmpty(): void {
    if (this.#waiting.length + this.#leaving.length === 0) this.#emptied.resolve();
  }

  get #isOpen(): boolean {
    return this.#state === 'open' || this.#state === 'settled';
  }
}
