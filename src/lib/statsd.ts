import { createSocket, type Socket, type SocketOptions } from 'node:dgram';
import { lookup } from 'node:dns';
import { isIPv6 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from './clock.ts';

/** How long the address of a host is believed, or that it has none. */
const addressMsMax = 60_000;
const lastWordsMs = 500;

/** A value that is null prints only the name, where the format knows tags without values. */
export type StatsdTags = Readonly<Record<string, string | number | null>>;

export interface StatsdOptions {
  readonly host: string;
  readonly port: number;
  /** `telegraf`: `name,tag=value:1|c`; `datadog`: `name:1|c|#tag:value`. */
  readonly format: 'telegraf' | 'datadog';
  /** Go with every metric; what is given with one wins. */
  readonly tags: StatsdTags;
}

/** Sends metrics as UDP datagrams. Whether anybody hears them is not known, and nothing waits for it. */
export class Statsd {
  readonly #options: StatsdOptions;
  #socket: Socket | undefined;
  #isClosed = false;
  #unsent = 0;
  #sent = Promise.withResolvers<void>();

  constructor(options: StatsdOptions) {
    this.#options = options;
  }

  gauge(name: string, value: number, tags: StatsdTags = {}): void {
    this.#send(name, value, 'g', tags);
  }

  /** `value`: how much it grew. */
  counter(name: string, value: number, tags: StatsdTags = {}): void {
    this.#send(name, value, 'c', tags);
  }

  /** How long something took, in seconds. */
  histogram(name: string, seconds: number, tags: StatsdTags = {}): void {
    this.#send(name, seconds, 'h', tags);
  }

  /** Waits a moment until what was sent is on its way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#unsent > 0) await Promise.race([this.#sent.promise, delay(lastWordsMs, undefined, { ref: false })]);
    this.#socket?.close();
    this.#socket = undefined;
  }

  #send(name: string, value: number, type: Metric['type'], tags: StatsdTags): void {
    if (this.#isClosed) return;
    const { host, port, format } = this.#options;
    this.#socket ??= openSocket(host);
    const text = formatMetric(format, { name, value, type, tags: { ...this.#options.tags, ...tags } });
    if (this.#unsent++ === 0) this.#sent = Promise.withResolvers();
    this.#socket.send(text, port, host, () => {
      if (--this.#unsent === 0) this.#sent.resolve();
    });
  }
}

export interface Metric {
  readonly name: string;
  readonly value: number;
  /** Counter, gauge, histogram. */
  readonly type: 'c' | 'g' | 'h';
  readonly tags: StatsdTags;
}

/** One datagram. Tags are in the order of their names. */
export function formatMetric(format: StatsdOptions['format'], { name, value, type, tags }: Metric): string {
  const sorted = Object.entries(tags).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const isTelegraf = format === 'telegraf';
  const texts = sorted.map(([tag, text]) => {
    if (text === null) return clean(tag);
    return `${clean(tag)}${isTelegraf ? '=' : ':'}${clean(String(text))}`;
  });
  if (isTelegraf) return `${[clean(name), ...texts].join(',')}:${value}|${type}`;
  return `${clean(name)}:${value}|${type}${texts.length === 0 ? '' : `|#${texts.join(',')}`}`;
}

/** What separates the parts of a datagram would be taken for that. */
function clean(text: string): string {
  return text.replace(/[\s,=:|#]/g, '_');
}

/** Neither keeps a process alive nor ends one: an unreachable port may be told by an error much later. */
function openSocket(host: string): Socket {
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', lookup: rememberingLookup() }).unref();
  socket.on('error', () => {});
  return socket;
}

type Lookup = NonNullable<SocketOptions['lookup']>;
type Answer = Parameters<Parameters<Lookup>[2]>;

/** A socket asks for the address of its host with each datagram, and while a name server is silent each question holds one of Node's few threads for files. */
function rememberingLookup(): Lookup {
  const asked = new Map<string, { readonly atMs: number; readonly answer: Promise<Answer> }>();
  return (host, options, tell) => {
    const known = asked.get(host);
    const isFresh = known !== undefined && systemClock.monotonicMs() - known.atMs < addressMsMax;
    const answer = isFresh ? known.answer : new Promise<Answer>((resolve) => lookup(host, options, (...found) => resolve(found)));
    if (!isFresh) asked.set(host, { atMs: systemClock.monotonicMs(), answer });
    void answer.then((found) => tell(...found));
  };
}
