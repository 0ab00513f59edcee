import { createHash, timingSafeEqual } from 'node:crypto';
import type { Reply } from './reply.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Whether the `Authorization` header bears exactly these credentials. Takes as long for a near miss as for any other. */
export function isAuthorized(header: string | undefined, { username, password }: Credentials): boolean {
  const expected = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return timingSafeEqual(digest(header ?? ''), digest(expected));
}

export const authenticationRequired: Reply = {
  status: 401,
  headers: { 'content-type': 'text/plain; charset=utf-8', 'www-authenticate': 'Basic realm="pghoard"' },
  body: 'Authentication required',
};

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
