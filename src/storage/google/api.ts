import { type Agent, IncomingMessage } from 'node:http';
import { type Agents, openAgents } from './agents.ts';
import { ApiError } from './errors.ts';
import { exchange, type HttpAnswer, type HttpRequest, type Patience, piecesOf, readWhole, send } from './http.ts';
import { type AuthHeaders, Identity } from './identity.ts';
import type { GoogleStorageOptions } from './options.ts';
import { type Answers, parseAnswer } from './resource.ts';

const defaultEndpoint = 'https://storage.googleapis.com';

export interface ApiRequest {
  readonly method?: string;
  /** Behind the endpoint, encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Uint8Array[];
  readonly signal?: AbortSignal | undefined;
}

export interface OpenAnswer {
  readonly isPartial: boolean;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * The JSON API of Cloud Storage, as the owner of the credentials. A refusal rejects with {@link ApiError}; nothing is repeated but what was refused
 * for an expired token. Google's own client is not used here: its requests cannot be aborted, and with an endpoint of one's own it leaves the
 * credentials out of resumable uploads.
 */
export class StorageApi {
  readonly #endpoint: URL;
  readonly #agents: Agents;
  readonly #identity: Identity;
  readonly #silenceMs: number;

  private constructor(options: GoogleStorageOptions, agents: Agents, silenceMs: number) {
    this.#endpoint = new URL(options.api_endpoint ?? defaultEndpoint);
    this.#agents = agents;
    this.#identity = new Identity(options, agents, silenceMs);
    this.#silenceMs = silenceMs;
  }

  static async open(options: GoogleStorageOptions, silenceMs: number): Promise<StorageApi> {
    return new StorageApi(options, await openAgents(options), silenceMs);
  }

  /** An answer of that kind. */
  async json<Kind extends keyof Answers>(kind: Kind, request: ApiRequest): Promise<Answers[Kind]> {
    return parseAnswer(kind, (await this.exchange(request)).body);
  }

  /** `expected`: statuses that are no refusals here, besides those of success. */
  async exchange(request: ApiRequest, ...expected: readonly number[]): Promise<HttpAnswer> {
    const answer = await this.#authorised(request, exchange, ({ status }) => status);
    if (!isSuccess(answer.status) && !expected.includes(answer.status)) throw new ApiError(answer);
    return answer;
  }

  /** The body of the answer as it comes, and whether it is the range asked for. */
  async open(request: ApiRequest): Promise<OpenAnswer> {
    const incoming = await this.#authorised(request, send, ({ statusCode }) => statusCode ?? 0);
    const status = incoming.statusCode ?? 0;
    if (isSuccess(status)) return { isPartial: status === 206, bytes: piecesOf(incoming, this.#patience(request)) };
    throw new ApiError({ status, headers: incoming.headers, body: await readWhole(incoming, this.#patience(request)) });
  }

  /** Path and query of an address that the store gave out: it may name a host that is not the one that leads there from here. */
  pathOf(location: string): Pick<ApiRequest, 'path' | 'query'> {
    const { pathname, searchParams } = new URL(location, this.#endpoint);
    return { path: pathname, query: Object.fromEntries(searchParams) };
  }

  #patience({ signal }: ApiRequest): Patience {
    return { silenceMs: this.#silenceMs, signal };
  }

  close(): void {
    this.#agents.close();
  }

  async #authorised<T>(
    request: ApiRequest,
    ask: (request: HttpRequest, agent: Agent) => Promise<T>,
    statusOf: (answer: T) => number,
  ): Promise<T> {
    const url = this.#urlOf(request);
    const attempt = (auth: AuthHeaders) =>
      ask(
        { ...request, method: request.method ?? 'GET', url, headers: { ...request.headers, ...auth }, silenceMs: this.#silenceMs },
        this.#agents.of(url),
      );
    const auth = await this.#identity.headers(request.signal);
    const answer = await attempt(auth);
    if (statusOf(answer) !== 401) return answer;
    if (answer instanceof IncomingMessage) answer.resume();
    return attempt(await this.#identity.headers(request.signal, auth));
  }

  #urlOf({ path, query = {} }: ApiRequest): URL {
    const url = new URL(path, this.#endpoint);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    return url;
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
