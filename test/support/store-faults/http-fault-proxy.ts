import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** What a client has asked for, as far as it is known before its body has come. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What goes wrong with a request. */
export type HttpFault =
  /** The server never hears of it, and the client gets this instead. */
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** The connection is reset once the server has got so many bytes of the body; none of them may be enough for it to act. */
  | { readonly kind: 'reset-upload'; readonly afterBytes: number }
  /** The connection is reset once the client has got so many bytes of the answer's body. */
  | { readonly kind: 'reset-download'; readonly afterBytes: number }
  /** The server does as it is told, but the client never hears of it. */
  | { readonly kind: 'lose-answer' }
  /** Neither side hears anything any more, though the connections stay. */
  | { readonly kind: 'stall' }
  /** The same once the client has got so many bytes of the answer's body. */
  | { readonly kind: 'stall-download'; readonly afterBytes: number }
  /** The answer's body comes in little pieces, one after another. */
  | { readonly kind: 'drip'; readonly bytes: number; readonly everyMs: number }
  /** The server's answer with other headers. */
  | { readonly kind: 'alter'; readonly headers: (headers: IncomingHttpHeaders) => IncomingHttpHeaders };

interface Rule {
  readonly applies: (request: SeenRequest) => boolean;
  readonly fault: HttpFault;
  left: number;
}

/** Stands between a client and an HTTP server on this machine, and has requests go wrong where it is told to. Signatures stay valid: the `Host` is passed on. */
export class HttpFaultProxy implements AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Every request so far. */
  readonly seen: SeenRequest[] = [];
  readonly #server: Server;
  readonly #target: number;
  #rules: Rule[] = [];

  static async to(targetPort: number): Promise<HttpFaultProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HttpFaultProxy(server, targetPort);
  }

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    this.port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.port}`;
    server.on('request', (request, response) => void this.#serve(request, response));
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      response.writeContinue();
      void this.#serve(request, response);
    });
    server.on('clientError', (_, socket) => socket.destroy());
  }

  /** The first rule that applies to a request decides; it is used up after `times` of them. */
  inject(applies: (request: SeenRequest) => boolean, fault: HttpFault, times = Number.POSITIVE_INFINITY): void {
    this.#rules.push({ applies, fault, left: times });
  }

  /** From now on everything works, and counting begins anew. */
  heal(): void {
    this.#rules = [];
    this.seen.length = 0;
  }

  /** May be disposed of twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = { method: request.method ?? '', url: request.url ?? '', headers: request.headers };
    this.seen.push(seen);
    try {
      await this.#act(this.#faultFor(seen), request, response);
    } catch {
      response.destroy();
    }
  }

  #faultFor(request: SeenRequest): HttpFault | undefined {
    const rule = this.#rules.find(({ applies, left }) => left > 0 && applies(request));
    if (rule) rule.left--;
    return rule?.fault;
  }

  async #act(fault: HttpFault | undefined, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (fault?.kind === 'stall') return;
    if (fault?.kind === 'answer') return answer(fault.answer, request, response);
    const uploadMax = fault?.kind === 'reset-upload' ? fault.afterBytes : Number.POSITIVE_INFINITY;
    const answered = await this.#forward(request, uploadMax);
    if (answered === undefined) return reset(request);
    if (fault?.kind === 'lose-answer') {
      for await (const _ of answered) if (response.destroyed) break;
      return reset(request);
    }
    const headers = fault?.kind === 'alter' ? fault.headers(answered.headers) : answered.headers;
    response.writeHead(answered.statusCode ?? 502, headers);
    await passBody(answered, response, fault, request);
  }

  /** Undefined where it was cut. */
  async #forward(request: IncomingMessage, bytesMax: number): Promise<IncomingMessage | undefined> {
    const { method, url: path, headers } = request;
    const upstream = httpRequest({ host: '127.0.0.1', port: this.#target, method, path, headers: withoutExpect(headers), agent: false });
    const answered = once(upstream, 'response') as Promise<[IncomingMessage]>;
    answered.catch(() => {});
    request.on('close', () => request.complete || upstream.destroy());
    let sent = 0;
    for await (const piece of request as AsyncIterable<Buffer>) {
      if (sent + piece.length >= bytesMax) {
        upstream.write(piece.subarray(0, bytesMax - sent), () => upstream.destroy());
        return undefined;
      }
      sent += piece.length;
      if (!upstream.write(piece)) await Promise.race([once(upstream, 'drain'), answered]);
    }
    if (bytesMax < Number.POSITIVE_INFINITY) {
      upstream.destroy();
      return undefined;
    }
    upstream.end();
    return (await answered)[0];
  }
}

function withoutExpect(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const passed = { ...headers };
  delete passed.expect;
  return passed;
}

function reset(request: IncomingMessage): void {
  request.socket.resetAndDestroy();
}

async function answer({ status, headers = {}, body = '' }: Answer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  for await (const _ of request) if (response.destroyed) return;
  const bytes = Buffer.from(body);
  response.writeHead(status, { 'content-length': bytes.length, ...headers });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

async function passBody(
  body: IncomingMessage,
  response: ServerResponse,
  fault: HttpFault | undefined,
  request: IncomingMessage,
): Promise<void> {
  const cut = fault?.kind === 'reset-download' || fault?.kind === 'stall-download' ? fault.afterBytes : Number.POSITIVE_INFINITY;
  let passed = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    const some = piece.subarray(0, Math.max(0, cut - passed));
    passed += some.length;
    if (fault?.kind === 'drip') await drip(some, fault, response);
    else if (some.length > 0 && !response.write(some)) await once(response, 'drain');
    if (passed < cut) continue;
    body.destroy();
    if (fault?.kind === 'stall-download') return;
    // What was passed on must have left before the reset, which would overtake it.
    await new Promise((resolve) => response.write('', resolve));
    return reset(request);
  }
  response.end();
}

async function drip(piece: Buffer, { bytes, everyMs }: { bytes: number; everyMs: number }, response: ServerResponse): Promise<void> {
  for (let at = 0; at < piece.length && !response.destroyed; at += bytes) {
    response.write(piece.subarray(at, at + bytes));
    await delay(everyMs);
  }
}
