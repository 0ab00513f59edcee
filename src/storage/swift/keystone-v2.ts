import { z } from 'zod';
import { sourceOfBytes } from '../object-source.ts';
import type { Ask } from './ask.ts';
import { type Endpoint, endpointIn, lifetimeMsOf } from './keystone-catalog.ts';
import type { SwiftStorageOptions } from './options.ts';
import type { Access } from './session.ts';
import { jsonIn, storeAnswerOdd } from './store-answer.ts';

const answerShape = z.object({
  access: z.object({
    token: z.object({ id: z.string(), expires: z.string().optional() }),
    serviceCatalog: z.array(z.object({ type: z.string(), endpoints: z.array(z.record(z.string(), z.unknown())) })).default([]),
  }),
});

/** Keystone's API of before 2018, which some clouds still have. */
export async function logInV2(options: SwiftStorageOptions, ask: Ask, storeName: string): Promise<Access> {
  const base = options.auth_url.replace(/\/+$/, '');
  const url = `${/\/v2(\.0)?$/.test(base) ? base : `${base}/v2.0`}/tokens`;
  const content = sourceOfBytes(Buffer.from(JSON.stringify({ auth: { ...tenantOf(options), passwordCredentials: userOf(options) } })));
  const answer = await ask({ method: 'POST', url, headers: { 'content-type': 'application/json', accept: 'application/json' }, content });
  const parsed = answerShape.safeParse(await jsonIn(answer, 'log in', storeName));
  if (!parsed.success) throw storeAnswerOdd('log in', storeName, 'no token');
  const { token, serviceCatalog } = parsed.data.access;
  const endpoints = serviceCatalog.flatMap((service) => service.endpoints.flatMap((it) => endpointsIn(service.type, it)));
  return {
    token: token.id,
    storageUrl: endpointIn(endpoints, options, storeName),
    lifetimeMs: lifetimeMsOf(token.expires, answer.headers.date),
  };
}

/** As the original's client: `TENANT:USER` where no tenant is named. */
function userOf({ user, key, tenant_name, tenant_id }: SwiftStorageOptions): { username: string; password: string } {
  const name = user ?? '';
  const isJoined = !tenant_name && !tenant_id && name.includes(':');
  return { username: isJoined ? name.slice(name.indexOf(':') + 1) : name, password: key ?? '' };
}

function tenantOf({ user, tenant_name, tenant_id }: SwiftStorageOptions): Record<string, string> {
  if (tenant_id) return { tenantId: tenant_id };
  return { tenantName: tenant_name ?? (user ?? '').split(':', 1)[0] ?? '' };
}

/** One entry has a URL per kind: `publicURL`, `internalURL`, `adminURL`. */
function endpointsIn(type: string, endpoint: Readonly<Record<string, unknown>>): Endpoint[] {
  const region = typeof endpoint['region'] === 'string' ? endpoint['region'] : undefined;
  return ['public', 'internal', 'admin'].flatMap((kind) => {
    const url = endpoint[`${kind}URL`];
    return typeof url === 'string' ? [{ type, kind, region, url }] : [];
  });
}
