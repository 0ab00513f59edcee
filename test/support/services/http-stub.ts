import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StubRequest {
  readonly method: string;
  /** As it was sent, still encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface StubAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Nothing is answered, ever. */
  readonly isSilent?: boolean;
}

export type Answering = (request: StubRequest) => StubAnswer;

/** An HTTP server within the test that answers as it is told: for what no server that can be installed does. */
export class HttpStub implements AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly seen: StubRequest[] = [];
  readonly #server: Server;

  private constructor(server: Server, answering: Answering) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.port}`;
    server.on('request', (request, response) => void this.#serve(request, response, answering));
  }

  static async start(answering: Answering): Promise<HttpStub> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HttpStub(server, answering);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse, answering: Answering): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    const url = new URL(request.url ?? '/', this.url);
    const { method = '', headers } = request;
    const seen = { method, path: url.pathname, query: url.searchParams, headers, body: Buffer.concat(pieces) };
    this.seen.push(seen);
    const { status = 200, headers: own = {}, body = '', isSilent = false } = answering(seen);
    if (isSilent) return;
    response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...own });
    response.end(method === 'HEAD' ? undefined : body);
  }
}
