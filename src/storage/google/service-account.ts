import { sign } from 'node:crypto';
import { promisify } from 'node:util';
import { OAuth2Client, type OAuth2ClientOptions } from 'google-auth-library';
import { type Clock, systemClock } from '../../lib/clock.ts';

/** What the file of a service account's key has. */
export interface ServiceAccountKey {
  readonly client_email: string;
  readonly private_key: string;
  readonly private_key_id?: string;
  readonly token_uri: string;
}

const lifetimeSeconds = 3_600;
const signAsync = promisify<string, Buffer, string, Buffer>(sign);

/** The library's client for such keys asks Google's address for tokens, whatever `token_uri` says; this one asks there. */
export class ServiceAccountClient extends OAuth2Client {
  readonly #key: ServiceAccountKey;
  readonly #scope: string;
  readonly #clock: Clock;

  constructor(key: ServiceAccountKey, scope: string, options: OAuth2ClientOptions, clock = systemClock) {
    super(options);
    this.#key = key;
    this.#scope = scope;
    this.#clock = clock;
    // The base class refreshes only where it has something to refresh with.
    this.setCredentials({ refresh_token: 'made from the key' });
  }

  protected override async refreshTokenNoCache() {
    const nowMs = this.#clock.now().getTime();
    const { data } = await this.transporter.request<TokenAnswer>({
      method: 'POST',
      url: this.#key.token_uri,
      data: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: await this.#assertion(Math.floor(nowMs / 1000)),
      }),
      responseType: 'json',
    });
    return { tokens: { access_token: data.access_token, expiry_date: nowMs + data.expires_in * 1000 }, res: null };
  }

  async #assertion(nowSeconds: number): Promise<string> {
    const { client_email, private_key, private_key_id, token_uri } = this.#key;
    const header = { alg: 'RS256', typ: 'JWT', ...(private_key_id !== undefined && { kid: private_key_id }) };
    const claims = { iss: client_email, scope: this.#scope, aud: token_uri, iat: nowSeconds, exp: nowSeconds + lifetimeSeconds };
    const signed = `${encode(header)}.${encode(claims)}`;
    const signature = await signAsync('RSA-SHA256', Buffer.from(signed), private_key);
    return `${signed}.${signature.toString('base64url')}`;
  }
}

interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in: number;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
