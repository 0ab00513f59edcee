import { sourceOfBytes } from '../../src/storage/object-source.ts';
import { type HttpAnswer, HttpClient } from '../../src/storage/swift/http-client.ts';

export interface RawSwiftOptions {
  readonly authUrl: string;
  readonly user: string;
  readonly key: string;
  readonly container: string;
  /** Certificates to trust, in PEM. */
  readonly ca?: string;
}

/** Requests to a container past the driver: what others have stored, and what really lies there. */
export class RawSwift implements Disposable {
  readonly #http: HttpClient;
  readonly #token: string;
  readonly #url: string;

  private constructor(http: HttpClient, token: string, url: string) {
    this.#http = http;
    this.#token = token;
    this.#url = url;
  }

  static async open({ authUrl, user, key, container, ca }: RawSwiftOptions): Promise<RawSwift> {
    const http = await HttpClient.open({ ca, idleMsMax: 60_000 });
    const login = await http.send({ method: 'GET', url: authUrl, headers: { 'x-auth-user': user, 'x-auth-key': key } });
    login.discard();
    return new RawSwift(http, String(login.headers['x-auth-token']), `${String(login.headers['x-storage-url'])}/${container}`);
  }

  /** Of the container where the name is empty. */
  async request(method: string, name: string, headers: Readonly<Record<string, string>> = {}, text = ''): Promise<HttpAnswer> {
    const url = `${this.#url}${name === '' ? '' : '/'}${name.split('/').map(encodeURIComponent).join('/')}`;
    const content = sourceOfBytes(Buffer.from(text));
    const answer = await this.#http.send({ method, url, headers: { ...headers, 'x-auth-token': this.#token }, content });
    answer.discard();
    if (answer.status > 299) throw new Error(`${method} ${url}: ${answer.status}`);
    return answer;
  }

  /** Names of all that lies there, and how many bytes. */
  async list(prefix: string): Promise<Record<string, number>> {
    const url = `${this.#url}?format=json&prefix=${encodeURIComponent(prefix)}`;
    const answer = await this.#http.send({ method: 'GET', url, headers: { 'x-auth-token': this.#token } });
    const pieces: Uint8Array[] = [];
    for await (const piece of answer.bytes) pieces.push(piece);
    const entries = JSON.parse(Buffer.concat(pieces).toString()) as { name: string; bytes: number }[];
    return Object.fromEntries(entries.map(({ name, bytes }) => [name, bytes]));
  }

  [Symbol.dispose](): void {
    this.#http.close();
  }
}
