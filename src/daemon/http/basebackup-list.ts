import type { ApiRequest } from './api-request.ts';
import { jsonReply, type Reply } from './reply.ts';
import type { SiteServices, WaitLimits } from './site-services.ts';
import { within } from './within.ts';

/** `GET /SITE/basebackup`: what the site has, and the sites that it was moved from. Objects that are no usable backups are named apart. */
export async function listBasebackups(site: SiteServices, request: ApiRequest, limits: WaitLimits): Promise<Reply> {
  return within(limits.lookWaitMsMax, request.signal, 'listing base backups', async (signal) => {
    const listings = await Promise.all(site.catalogs.map((catalog) => catalog.basebackups(signal)));
    const entries = listings.flatMap((listing) => listing.entries);
    const unreadable = listings.flatMap((listing) => listing.unreadable);
    const basebackups = entries.map(({ key, size, lastModified, metadata, digest }) => ({
      name: key,
      size,
      last_modified: lastModified,
      metadata,
      // The original's name for whatever digest the store has.
      ...(digest !== undefined && { md5: digest }),
    }));
    return jsonReply({ basebackups, ...(unreadable.length > 0 && { unreadable }) });
  });
}
