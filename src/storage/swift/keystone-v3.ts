import { z } from 'zod';
import { sourceOfBytes } from '../object-source.ts';
import type { Ask } from './ask.ts';
import { endpointIn, lifetimeMsOf } from './keystone-catalog.ts';
import type { SwiftStorageOptions } from './options.ts';
import type { Access } from './session.ts';
import { jsonIn, storeAnswerOdd } from './store-answer.ts';

const answerShape = z.object({
  token: z.object({
    expires_at: z.string().optional(),
    catalog: z
      .array(
        z.object({
          type: z.string(),
          endpoints: z.array(
            z.object({ interface: z.string(), url: z.string(), region: z.string().nullish(), region_id: z.string().nullish() }),
          ),
        }),
      )
      .default([]),
  }),
});

export async function logInV3(options: SwiftStorageOptions, ask: Ask, storeName: string): Promise<Access> {
  const base = options.auth_url.replace(/\/+$/, '');
  const url = `${base.endsWith('/v3') ? base : `${base}/v3`}/auth/tokens`;
  const content = sourceOfBytes(Buffer.from(JSON.stringify({ auth: authOf(options) })));
  const answer = await ask({ method: 'POST', url, headers: { 'content-type': 'application/json', accept: 'application/json' }, content });
  const token = answer.headers['x-subject-token'];
  const parsed = answerShape.safeParse(await jsonIn(answer, 'log in', storeName));
  if (typeof token !== 'string' || !parsed.success) throw storeAnswerOdd('log in', storeName, 'no token');
  const { catalog, expires_at } = parsed.data.token;
  const endpoints = catalog.flatMap((service) =>
    service.endpoints.map((it) => ({
      type: service.type,
      kind: it.interface,
      region: it.region ?? it.region_id ?? undefined,
      url: it.url,
    })),
  );
  return { token, storageUrl: endpointIn(endpoints, options, storeName), lifetimeMs: lifetimeMsOf(expires_at, answer.headers.date) };
}

function authOf(options: SwiftStorageOptions): unknown {
  const { application_credential_id: id, application_credential_secret: secret } = options;
  // Of one project by itself: a scope would be refused.
  if (id) return { identity: { methods: ['application_credential'], application_credential: { id, secret } } };
  return { identity: { methods: ['password'], password: { user: userOf(options) } }, scope: { project: projectOf(options) } };
}

function userOf({ user, user_id, key, user_domain_id, user_domain_name }: SwiftStorageOptions): unknown {
  if (user_id) return { id: user_id, password: key };
  return { name: user, domain: domainOf(user_domain_id, user_domain_name), password: key };
}

function projectOf(options: SwiftStorageOptions): unknown {
  const id = options.project_id ?? options.tenant_id;
  if (id) return { id };
  const { project_domain_id, project_domain_name } = options;
  return { name: options.project_name ?? options.tenant_name, domain: domainOf(project_domain_id, project_domain_name) };
}

function domainOf(id: string | null, name: string | null): unknown {
  if (id) return { id };
  return name ? { name } : { id: 'default' };
}
