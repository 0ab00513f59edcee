import { once } from 'node:events';
import { type Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { untilAborted } from '../abortable.ts';
import { openHttpAgent } from '../http-agent.ts';

/** What is sent: exactly so many bytes. */
export interface Content {
  readonly size: number;
  open(): AsyncIterable<Uint8Array>;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content?: Content;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: IncomingHttpHeaders;
  /** Ends by an error where it breaks off, and where nothing comes for too long while it is waited for. May be left early. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Lets go of a body that nobody wants. */
  discard(): void;
}

export interface HttpClientOptions {
  /** Certificates to trust, in PEM, instead of the well-known ones. */
  readonly ca?: string | undefined;
  /** A connection on which nothing moves for so long is given up. */
  readonly idleMsMax: number;
}

/** Servers of Swift close connections that were idle for a minute; a request on one that is just being closed would fail. */
const keptMsMax = 15_000;

/** Bodies from this size on are sent only once the server asks for them: a refusal costs no upload, and is not lost with a connection that breaks. */
const expectContinueBytes = 64 * 1024;

/** A server that does not know `Expect` is sent the body after this long. */
const continueMsMax = 2_000;

/** HTTP over connections that are kept. No retries, no redirects; proxies as the environment names them. */
export class HttpClient {
  readonly #http: Agent;
  readonly #https: Agent;
  readonly #idleMsMax: number;

  static async open({ ca, idleMsMax }: HttpClientOptions): Promise<HttpClient> {
    const shared = { ca, proxy: 'of-environment', idleMs: idleMsMax, keptMs: keptMsMax } as const;
    const http = await openHttpAgent({ ...shared, secure: false });
    return new HttpClient(http, await openHttpAgent({ ...shared, secure: true }), idleMsMax);
  }

  private constructor(http: Agent, https: Agent, idleMsMax: number) {
    this.#http = http;
    this.#https = https;
    this.#idleMsMax = idleMsMax;
  }

  /** Rejects with Node's errors, the signal's reason, or what the content throws. */
  async send({ method, url, headers = {}, content, signal }: HttpRequest): Promise<HttpAnswer> {
    signal?.throwIfAborted();
    const isSecure = url.startsWith('https:');
    const waits = content !== undefined && content.size >= expectContinueBytes;
    const outgoing = (isSecure ? httpsRequest : httpRequest)(url, {
      method,
      agent: isSecure ? this.#https : this.#http,
      timeout: this.#idleMsMax,
      headers: { ...headers, ...(content && { 'content-length': String(content.size) }), ...(waits && { expect: '100-continue' }) },
      ...(signal && { signal }),
    });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    outgoing.once('response', resolve);
    outgoing.once('timeout', () => outgoing.destroy(stalled(this.#idleMsMax)));
    // Stays: errors after the answer are those of its body.
    outgoing.on('error', (error) => reject(signal?.aborted ? signal.reason : error));
    if (content === undefined) {
      outgoing.end();
    } else {
      if (waits) await Promise.race([once(outgoing, 'continue', { signal: AbortSignal.timeout(continueMsMax) }), promise]).catch(() => {});
      pipeline(Readable.from(content.open(), { highWaterMark: 1 }), outgoing).catch(reject);
    }
    // Without a connection yet, such as one through a proxy, the request does not hear of the signal.
    const incoming = await untilAborted(promise, signal);
    // What is left of a request that was answered early would hold the connection.
    if (!outgoing.writableFinished) incoming.once('close', () => outgoing.destroy());
    return this.#answer(incoming, signal);
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #answer(incoming: IncomingMessage, signal: AbortSignal | undefined): HttpAnswer {
    const unread = setTimeout(() => incoming.destroy(stalled(this.#idleMsMax)), this.#idleMsMax).unref();
    incoming.once('close', () => clearTimeout(unread));
    // Heard by whoever reads; where nobody does, it does not matter.
    incoming.on('error', () => {});
    incoming.socket.setTimeout(0);
    return {
      status: incoming.statusCode ?? 0,
      statusText: incoming.statusMessage ?? '',
      headers: incoming.headers,
      bytes: piecesOf(incoming, unread, this.#idleMsMax, signal),
      discard: () => incoming.resume(),
    };
  }
}

/** Only what is waited for can come too late: a reader may take its time. */
async function* piecesOf(
  incoming: IncomingMessage,
  unread: NodeJS.Timeout,
  idleMsMax: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let timer = unread;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => incoming.destroy(stalled(idleMsMax)), idleMsMax);
  };
  try {
    watch();
    for await (const piece of incoming) {
      clearTimeout(timer);
      yield piece as Buffer;
      watch();
    }
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    clearTimeout(timer);
    incoming.destroy();
  }
}

function stalled(idleMsMax: number): Error {
  return Object.assign(new Error(`nothing moved for ${idleMsMax / 1000} s`), { code: 'ETIMEDOUT' });
}
