import type { ApiRequest } from './api-request.ts';
import { createdReply, jsonReply, type Reply } from './reply.ts';
import { invalidPath } from './request-path.ts';
import type { SiteServices } from './site-services.ts';

export interface RetentionDocument {
  /** Why something that is to go is still there. */
  readonly postponed: string | null;
  /** What goes only once somebody says so: `basebackups` are their names. */
  readonly confirmation: { readonly digest: string; readonly because: string; readonly basebackups: readonly string[] } | null;
}

/**
 * `GET /SITE/retention`: what waits for somebody to say that its deletion is meant. `PUT /SITE/retention/confirm/DIGEST` says so; the digest names just
 * that deletion, so that nothing else is confirmed.
 */
export function answerRetention(site: SiteServices, rest: readonly string[], { method, url }: ApiRequest): Reply {
  const [verb, digest, ...more] = rest;
  if (verb === undefined && method !== 'PUT') return jsonReply(describeRetention(site.retention));
  if (verb !== 'confirm' || digest === undefined || more.length > 0 || method !== 'PUT') throw invalidPath(url);
  site.confirmDeletion(digest);
  return createdReply();
}

export function describeRetention({ pending, postponed }: SiteServices['retention']): RetentionDocument {
  const confirmation = pending && { digest: pending.digest, because: pending.because, basebackups: pending.doomed };
  return { postponed: postponed ?? null, confirmation: confirmation ?? null };
}
