import type { Ask } from './ask.ts';
import type { Attempt } from './errors.ts';
import { askStore, refusalOf } from './errors.ts';
import type { HttpClient } from './http-client.ts';
import { logInV2 } from './keystone-v2.ts';
import { logInV3 } from './keystone-v3.ts';
import type { SwiftStorageOptions } from './options.ts';
import type { Access } from './session.ts';
import { storeAnswerOdd } from './store-answer.ts';

/** The login that the options describe, by its `auth_version`. */
export function loginOf(options: SwiftStorageOptions, http: HttpClient, storeName: string): () => Promise<Access> {
  const attempt: Attempt = { what: `log in at ${withoutSecrets(options.auth_url)}`, storeName };
  const ask: Ask = async (request) => {
    const answer = await askStore(http, request, attempt);
    if (answer.status < 200 || answer.status > 299) throw await refusalOf(answer, attempt);
    return answer;
  };
  if (options.auth_version === 1) return () => logInV1(options, ask, storeName);
  return options.auth_version === 2 ? () => logInV2(options, ask, storeName) : () => logInV3(options, ask, storeName);
}

/** An address may have a password before its host, or a token behind its path. */
export function withoutSecrets(address: string): string {
  const { origin, pathname } = new URL(address);
  return `${origin}${pathname}`;
}

/** TempAuth and its likes, such as Ceph's. */
async function logInV1({ auth_url, user, key }: SwiftStorageOptions, ask: Ask, storeName: string): Promise<Access> {
  const headers = { 'x-auth-user': user ?? '', 'x-auth-key': key ?? '' };
  const answer = await ask({ method: 'GET', url: auth_url, headers });
  answer.discard();
  const token = answer.headers['x-auth-token'];
  const storageUrl = answer.headers['x-storage-url'];
  if (typeof token !== 'string' || typeof storageUrl !== 'string') throw storeAnswerOdd('log in', storeName, 'no token, or no address');
  const seconds = Number(answer.headers['x-auth-token-expires'] ?? Number.NaN);
  return { token, storageUrl: storageUrl.replace(/\/+$/, ''), lifetimeMs: Number.isFinite(seconds) ? seconds * 1000 : undefined };
}
