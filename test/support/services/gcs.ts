import { once } from 'node:events';
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { answer, answerJson, type Exchange, jsonOf, refuse } from './gcs/answer.ts';
import { handleBatch } from './gcs/batch.ts';
import { type Bucket, Buckets } from './gcs/bucket.ts';
import { handleList, handleObject } from './gcs/objects.ts';
import { Refusal } from './gcs/refusal.ts';
import { accountEmail, privateKey, Tokens } from './gcs/tokens.ts';
import { Uploads } from './gcs/uploads.ts';

/** What happens instead of, or after, the work of a request. */
export type GcsFault =
  | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  | { readonly cutAfterBytes: number }
  | 'reset'
  | 'damage'
  | 'lose answer'
  | 'never answer';

interface Logged {
  readonly method: string;
  readonly path: string;
  /** Undefined where no answer has left. */
  status?: number;
}

/**
 * A double of Google Cloud Storage: its JSON API as far as a backup needs it, with the real service's checks (signatures of tokens, checksums,
 * preconditions, units of resumable uploads, retention) and answers. No server of Google's can be installed; that Google's own client works
 * against this one is held by a test. It knows no IAM, and one generation of an object only.
 */
export class TestGcs implements AsyncDisposable {
  readonly buckets = new Buckets();
  readonly tokens = new Tokens();
  readonly uploads = new Uploads(this.buckets);
  readonly log: Logged[] = [];
  /** Each is asked before every request. */
  readonly faults: ((request: IncomingMessage) => GcsFault | undefined)[] = [];
  readonly #server: Server;

  private constructor(tls: https.ServerOptions | undefined) {
    const serve = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response);
    this.#server = tls ? https.createServer(tls, serve) : http.createServer(serve);
  }

  static async start(tls?: https.ServerOptions): Promise<TestGcs> {
    const gcs = new TestGcs(tls);
    gcs.#server.listen(0, '127.0.0.1');
    await once(gcs.#server, 'listening');
    return gcs;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#server instanceof https.Server ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  /** The key file of an account that may do everything. */
  get serviceAccount() {
    const token_uri = `${this.url}/token`;
    return {
      type: 'service_account' as const,
      project_id: 'test-project',
      private_key_id: 'k1',
      private_key: privateKey,
      client_email: accountEmail,
      token_uri,
    };
  }

  bucket(name: string): Bucket {
    return this.buckets.get(name) ?? this.buckets.create(name);
  }

  /** The next request that matches `pattern` (`METHOD path`) meets this. */
  failNext(pattern: RegExp, fault: GcsFault): void {
    const nextOne = ({ method, url }: IncomingMessage) => {
      if (!pattern.test(`${method} ${url}`)) return undefined;
      this.faults.splice(this.faults.indexOf(nextOne), 1);
      return fault;
    };
    this.faults.push(nextOne);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/' } = request;
    const logged: Logged = { method, path };
    this.log.push(logged);
    response.on('finish', () => {
      logged.status = response.statusCode;
    });
    const fault = this.#faultOf(request);
    if (fault === 'never answer') return;
    if (fault === 'reset') return void request.socket.destroy();
    if (typeof fault === 'object' && 'status' in fault) {
      request.resume();
      return answer(response, fault.status, fault.body, fault.headers);
    }
    const { socket } = request;
    if (fault === 'lose answer') response.detachSocket(socket);
    const cutAfterBytes = typeof fault === 'object' ? fault.cutAfterBytes : undefined;
    const isDamaged = fault === 'damage';
    try {
      await this.#handle({ request, response, method, url: new URL(path, this.url), cutAfterBytes, isDamaged });
    } catch (error) {
      request.resume();
      if (!(error instanceof Refusal)) throw error;
      refuse(response, error);
    }
    if (fault === 'lose answer') socket.destroy();
  }

  #faultOf(request: IncomingMessage): GcsFault | undefined {
    for (const fault of this.faults) {
      const found = fault(request);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #handle(exchange: Exchange): Promise<void> {
    const { request, response, method, url } = exchange;
    const { pathname } = url;
    if (pathname === '/token' || pathname === '/sts') return this.tokens.answer(exchange);
    if (pathname.startsWith('/computeMetadata/')) return this.#answerMetadata(exchange);
    if (!url.searchParams.has('upload_id')) this.#checkToken(request, response);
    if (pathname === '/batch/storage/v1') return handleBatch(exchange, this.buckets);
    if (pathname === '/storage/v1/b' && method === 'POST') {
      const { name } = await jsonOf(request);
      this.buckets.create(String(name), { hasObjectRetention: url.searchParams.get('enableObjectRetention') === 'true' });
      return answerJson(response, { kind: 'storage#bucket', name: String(name) });
    }
    const [, upload, bucket, objects, object] = /^\/(upload\/)?storage\/v1\/b\/([^/]+)(\/o)?(?:\/([^/]+))?$/.exec(pathname) ?? [];
    if (bucket === undefined || objects === undefined) throw new Refusal(404, 'notFound', 'Not Found');
    const name = decodeURIComponent(bucket);
    if (upload !== undefined) return this.uploads.handle(exchange, name);
    if (object === undefined) return handleList(exchange, this.buckets.find(name));
    handleObject(exchange, this.buckets.find(name), decodeURIComponent(object));
  }

  #checkToken({ headers }: IncomingMessage, response: ServerResponse): void {
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
    if (this.tokens.isGood(token)) return;
    response.setHeader('www-authenticate', 'Bearer realm="https://accounts.google.com/"');
    if (token !== undefined) throw new Refusal(401, 'authError', 'Invalid Credentials');
    throw new Refusal(401, 'required', 'Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object.');
  }

  /** As the server that every machine at Google has beside it. */
  #answerMetadata({ request, response, url }: Exchange): void {
    response.setHeader('metadata-flavor', 'Google');
    if (request.headers['metadata-flavor'] !== 'Google') throw new Refusal(403, 'forbidden', 'Missing Metadata-Flavor:Google header.');
    if (!url.pathname.endsWith('/service-accounts/default/token')) return answer(response, 200, 'test-project');
    answerJson(response, { access_token: this.tokens.give(), expires_in: this.tokens.expiresInSeconds, token_type: 'Bearer' });
  }
}
