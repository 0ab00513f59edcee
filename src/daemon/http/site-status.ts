import { type HealthDocument, healthAsDocument } from '../health/health-document.ts';
import { jsonReply, type Reply } from './reply.ts';
import type { SiteServices } from './site-services.ts';

export interface SiteStatusDocument extends HealthDocument {
  readonly site: string;
}

/** `GET /SITE/status`: how the site is now, as in `/status` under `pghoard.sites.SITE.health`. */
export function answerSiteStatus({ name, health }: Pick<SiteServices, 'name' | 'health'>): Reply {
  const document: SiteStatusDocument = { site: name, ...healthAsDocument(health) };
  return jsonReply(document);
}
