import { askStore, refusalOf } from './errors.ts';
import type { Content, HttpAnswer, HttpClient } from './http-client.ts';
import type { Access, Session } from './session.ts';

export interface SwiftRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Of an object; the container itself where there is none. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content?: Content;
  readonly signal?: AbortSignal | undefined;
  /** What it is for, in messages: `store xlog/…`. */
  readonly what: string;
  /** Statuses besides those of success that the caller understands. */
  readonly understood?: readonly number[];
}

export interface ContainerDeps {
  /** For messages. */
  readonly storeName: string;
  readonly container: string;
  readonly http: HttpClient;
  readonly session: Session;
}

/** Requests to one container, with the token of the moment. */
export class Container {
  readonly storeName: string;
  readonly name: string;
  readonly #http: HttpClient;
  readonly #session: Session;

  constructor({ storeName, container, http, session }: ContainerDeps) {
    this.storeName = storeName;
    this.name = container;
    this.#http = http;
    this.#session = session;
  }

  /** Rejects with what the store's refusal means, unless it is understood. */
  request(request: SwiftRequest): Promise<HttpAnswer> {
    const path = request.key === undefined ? this.name : `${this.name}/${request.key}`;
    return this.#withAccess(request, ({ storageUrl }) => `${storageUrl}/${encodePath(path)}${queryOf(request.query)}`);
  }

  /** As {@link request}, but to the account; `read` is done again with the request where it rejects as the token was refused after all. */
  requestAccount<T>(request: Omit<SwiftRequest, 'key' | 'query'>, query: string, read: (answer: HttpAnswer) => Promise<T>): Promise<T> {
    const work = async ({ storageUrl, token }: Access) => read(await this.#send(request, `${storageUrl}?${query}`, token));
    return this.#session.run(work, request.signal);
  }

  /** What the cluster tells of itself, beside the accounts. */
  requestInfo(request: Omit<SwiftRequest, 'key' | 'query'>): Promise<HttpAnswer> {
    return this.#withAccess(request, ({ storageUrl }) => storageUrl.replace(/\/v1(\/.*)?$/, '/info'));
  }

  #withAccess(request: Omit<SwiftRequest, 'query'>, urlFor: (access: Access) => string): Promise<HttpAnswer> {
    return this.#session.run((access) => this.#send(request, urlFor(access), access.token), request.signal);
  }

  async #send(request: Omit<SwiftRequest, 'query'>, url: string, token: string): Promise<HttpAnswer> {
    const { method, headers, content, signal, what, understood = [] } = request;
    const attempt = { what, storeName: this.storeName };
    const sent = { method, url, headers: { ...headers, 'x-auth-token': token }, ...(content && { content }), signal };
    const answer = await askStore(this.#http, sent, attempt);
    const isSuccess = answer.status >= 200 && answer.status <= 299;
    if (!isSuccess && !understood.includes(answer.status)) throw await refusalOf(answer, attempt);
    return answer;
  }
}

/** Of a container with the key of an object; slashes separate. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function queryOf(query: Readonly<Record<string, string>> | undefined): string {
  return query === undefined ? '' : `?${new URLSearchParams(query).toString()}`;
}
