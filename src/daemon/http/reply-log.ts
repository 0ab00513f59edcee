import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Reply } from './reply.ts';

/** Said all day long: "not stored", and "ask for the bytes". */
const ordinaryStatuses = [404, 417];
/** A client that has left hears nothing, and one that comes while a site is made anew asks again. */
const ordinaryCodes = ['client-gone', 'shutting-down'];
const silenceMs = 3_600_000;
const rememberedMax = 1_000;

/** Logs what was answered. What is asked again and again with the same failure, as archive_command does, is told once an hour. */
export class ReplyLog {
  readonly #log: Log;
  readonly #clock: Clock;
  /** When each failure was told. The oldest first. */
  readonly #toldMs = new Map<string, number>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  answered({ method, url }: IncomingMessage, { status, headers, body }: Reply): void {
    const code = headers?.['x-pghoard-code'] ?? '';
    const fields = { method, url, status };
    const isOrdinary = status < 400 || ordinaryStatuses.includes(status) || ordinaryCodes.includes(code);
    if (isOrdinary) return this.#log.debug({ ...fields, ...(code !== '' && { code }) }, 'HTTP request');
    const level = this.#isNew([method, url, status, code].join(' ')) ? (status >= 500 && status !== 501 ? 'error' : 'warn') : 'debug';
    this.#log[level](fields, `HTTP request answered with ${typeof body === 'string' ? body.trimEnd() : status}`);
  }

  #isNew(failure: string): boolean {
    const now = this.#clock.monotonicMs();
    const told = this.#toldMs.get(failure);
    if (told !== undefined && now - told < silenceMs) return false;
    this.#toldMs.delete(failure);
    this.#toldMs.set(failure, now);
    const [oldest] = this.#toldMs.keys();
    if (this.#toldMs.size > rememberedMax && oldest !== undefined) this.#toldMs.delete(oldest);
    return true;
  }
}
