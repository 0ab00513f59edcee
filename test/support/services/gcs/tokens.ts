import { generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { systemClock } from '../../../../src/lib/clock.ts';
import { answerJson, bodyOf, type Exchange } from './answer.ts';

export const accountEmail = 'backup@test-project.iam.gserviceaccount.com';
const keyPair = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

/** For which refresh and foreign tokens an access token is given, and what proves it. */
export const goodRefreshToken = '1//refresh';
export const goodForeignToken = 'token-of-the-cluster';
export const privateKey: string = keyPair.privateKey;

const grants = {
  assertion: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
  refresh: 'refresh_token',
  exchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
} as const;

/** Gives out access tokens as Google does: for a signed assertion, a refresh token, a foreign token, or to who asks from inside a machine. */
export class Tokens {
  readonly #good = new Set<string>();
  /** What clients are told of how long tokens are good. */
  expiresInSeconds = 3_599;
  given = 0;
  /** The last claims that were signed. */
  claims: Readonly<Record<string, unknown>> = {};

  give(): string {
    const token = `ya29.${randomBytes(24).toString('base64url')}`;
    this.#good.add(token);
    this.given++;
    return token;
  }

  /** All that were given so far are no longer good, before their time. */
  revokeAll(): void {
    this.#good.clear();
  }

  isGood(token: string | undefined): boolean {
    return token !== undefined && this.#good.has(token);
  }

  async answer({ request, response, url }: Exchange): Promise<void> {
    const form = new URLSearchParams((await bodyOf(request)).toString());
    const audience = `${url.protocol}//${request.headers.host}${url.pathname}`;
    const why = this.#whyRefused(form, audience);
    if (why !== undefined) return answerJson(response, { error: 'invalid_grant', error_description: why }, 400);
    const issued = url.pathname === '/sts' ? { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' } : {};
    answerJson(response, { access_token: this.give(), expires_in: this.expiresInSeconds, token_type: 'Bearer', ...issued });
  }

  #whyRefused(form: URLSearchParams, audience: string): string | undefined {
    switch (form.get('grant_type')) {
      case grants.assertion:
        return this.#whyAssertionRefused(form.get('assertion') ?? '', audience);
      case grants.refresh:
        return form.get('refresh_token') === goodRefreshToken ? undefined : 'Token has been expired or revoked.';
      case grants.exchange:
        return form.get('subject_token') === goodForeignToken ? undefined : 'The subject token is not known.';
      default:
        return 'Unknown grant.';
    }
  }

  #whyAssertionRefused(assertion: string, audience: string): string | undefined {
    const [header = '', claims = '', signature = ''] = assertion.split('.');
    if (!verify('RSA-SHA256', Buffer.from(`${header}.${claims}`), keyPair.publicKey, Buffer.from(signature, 'base64url')))
      return 'Invalid JWT Signature.';
    this.claims = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
    const { iss, aud, exp } = this.claims;
    if (iss !== accountEmail) return 'Invalid grant: account not found';
    if (aud !== audience) return `Invalid JWT: audience ${String(aud)}`;
    return Number(exp) * 1000 > systemClock.now().getTime() ? undefined : 'Invalid JWT: it has expired.';
  }
}
