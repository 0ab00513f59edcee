import { recoverabilityAsDocument } from '../../catalog/recoverability/recoverability-document.ts';
import { jsonReply, type Reply } from './reply.ts';
import type { SiteServices } from './site-services.ts';

/** `GET /SITE/recoverability`: which moments can be restored on each timeline, and why not the others. */
export function answerRecoverability({ name, recoverability: { at, found } }: Pick<SiteServices, 'name' | 'recoverability'>): Reply {
  return jsonReply(recoverabilityAsDocument(name, at, found));
}
