import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';

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

  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
    this.#socket = undefined;
  }

  #send(name: string, value: number, type: 'c' | 'g', tags: StatsdTags): void {
    if (this.#isClosed) return;
    const { host, port, format } = this.#options;
    this.#socket ??= openSocket(host);
    const text = formatMetric(format, { name, value, type, tags: { ...this.#options.tags, ...tags } });
    this.#socket.send(text, port, host, () => {});
  }
}

export interface Metric {
  readonly name: string;
  readonly value: number;
  readonly type: 'c' | 'g';
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
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4').unref();
  socket.on('error', () => {});
  return socket;
}
