import http, { type Agent, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import { untilAborted } from '../abortable.ts';

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: OutgoingHttpHeaders;
  readonly body?: readonly Uint8Array[] | undefined;
  /** Silence after which the connection is given up: nothing was taken from us, and nothing came. */
  readonly silenceMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** How long an answer, or more of it, is waited for. */
export type Patience = Pick<HttpRequest, 'silenceMs' | 'signal'>;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const sliceBytes = 256 * 1024;
/** Answers that are no content of objects. */
const answerBytesMax = 64 * 1024 * 1024;

/** Sends a request, and resolves once the head of the answer is there. The body of the answer must be read, or destroyed. */
export async function send(request: HttpRequest, agent: Agent): Promise<IncomingMessage> {
  const { url, method, headers, body = [], silenceMs, signal } = request;
  signal?.throwIfAborted();
  const length = body.reduce((sum, piece) => sum + piece.length, 0);
  const hasBody = body.length > 0 || method === 'POST' || method === 'PUT';
  const outgoing = (url.protocol === 'https:' ? https : http).request(url, {
    method,
    headers: { ...headers, ...(hasBody && { 'content-length': length }) },
    agent,
    ...(signal && { signal }),
  });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  outgoing.on('response', resolve).on('error', reject);
  // Without a connection yet, such as one through a proxy, destroying the request tells nobody.
  const silence = setTimeout(() => {
    outgoing.destroy();
    reject(silent(silenceMs));
  }, silenceMs);
  try {
    writeBody(outgoing, body, () => silence.refresh()).catch((error: Error) => outgoing.destroy(error));
    const incoming = await untilAborted(promise, signal);
    // An answer before the end of the request is a refusal: the rest is of no use, and would be in the way of the next request.
    if (!outgoing.writableEnded) incoming.once('end', () => outgoing.destroy());
    return incoming;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(silence);
  }
}

/** As {@link send}, for answers that fit into memory. */
export async function exchange(request: HttpRequest, agent: Agent): Promise<HttpAnswer> {
  const incoming = await send(request, agent);
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: await readWhole(incoming, request) };
}

export async function readWhole(incoming: IncomingMessage, patience: Patience): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of piecesOf(incoming, patience)) {
    length += piece.length;
    if (length > answerBytesMax) throw new Error(`the answer is longer than ${answerBytesMax} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The body of an answer. Silence counts only while a piece is waited for, so whoever reads may take their time. Leaving early ends the connection. */
export async function* piecesOf(incoming: IncomingMessage, { silenceMs, signal }: Patience): AsyncGenerator<Uint8Array> {
  const pieces: AsyncIterator<Uint8Array> = incoming[Symbol.asyncIterator]();
  try {
    for (;;) {
      const silence = setTimeout(() => incoming.destroy(silent(silenceMs)), silenceMs);
      const next = await pieces.next().finally(() => clearTimeout(silence));
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    incoming.destroy();
  }
}

async function writeBody(outgoing: http.ClientRequest, body: readonly Uint8Array[], onProgress: () => void): Promise<void> {
  let goOn = () => {};
  for (const event of ['drain', 'close']) outgoing.on(event, () => goOn());
  for (const piece of body)
    for (let at = 0; at < piece.length; at += sliceBytes) {
      if (outgoing.destroyed) return;
      const drained = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      if (!outgoing.write(piece.subarray(at, at + sliceBytes))) await drained;
      onProgress();
    }
  outgoing.end();
}

function silent(silenceMs: number): Error {
  return Object.assign(new Error(`nothing came for ${silenceMs / 1000} seconds`), { code: 'ETIMEDOUT' });
}
