import { freePort } from '../free-port.ts';
import { fillKeystoneDirectory, serveKeystone } from './keystone-template.ts';
import { KeystoneV2Front } from './keystone-v2-front.ts';
import type { Service } from './service.ts';

/** OpenStack's Keystone of Debian (identity v3), with a front for clients of v2. See {@link fillKeystoneDirectory} for who is known to it. */
export class TestKeystone implements AsyncDisposable {
  readonly url: string;
  /** For clients of v2. */
  readonly urlV2: string;
  readonly #service: Service;
  readonly #front: KeystoneV2Front;

  private constructor(url: string, service: Service, front: KeystoneV2Front) {
    this.url = url;
    this.urlV2 = front.url;
    this.#service = service;
    this.#front = front;
  }

  /** `swiftUrl`: where it says that the object store is; nobody needs to listen there yet. */
  static async start(directory: string, swiftUrl: string): Promise<TestKeystone> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    await fillKeystoneDirectory(directory, url, swiftUrl);
    const service = await serveKeystone(directory, port);
    return new TestKeystone(url, service, await KeystoneV2Front.start(url));
  }

  /** A login of a program for `demo` in the project `demo`, which can be revoked by itself. */
  async applicationCredential(): Promise<{ readonly id: string; readonly secret: string }> {
    const headers = { 'content-type': 'application/json' };
    const user = { name: 'demo', domain: { id: 'default' }, password: 'demopass' };
    const scope = { project: { name: 'demo', domain: { id: 'default' } } };
    const auth = { identity: { methods: ['password'], password: { user } }, scope };
    const login = await fetch(`${this.url}/v3/auth/tokens`, { method: 'POST', headers, body: JSON.stringify({ auth }) });
    const { token } = (await login.json()) as { token: { user: { id: string } } };
    const made = await fetch(`${this.url}/v3/users/${token.user.id}/application_credentials`, {
      method: 'POST',
      headers: { ...headers, 'x-auth-token': login.headers.get('x-subject-token') ?? '' },
      body: JSON.stringify({ application_credential: { name: 'pghoard' } }),
    });
    const answer = (await made.json()) as { application_credential: { id: string; secret: string } };
    return answer.application_credential;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#front[Symbol.asyncDispose]();
    await this.#service.stop();
  }
}
