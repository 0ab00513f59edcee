import type { ApiRequest } from './api-request.ts';
import { jsonReply, type Reply } from './reply.ts';
import type { SiteServices, WaitLimits } from './site-services.ts';
import { within } from './within.ts';

export interface BasebackupListDocument {
  readonly basebackups: readonly {
    /** Key of the main object. */
    readonly name: string;
    readonly size: number;
    /** As ISO 8601 tells it. */
    readonly last_modified: string;
    readonly metadata: Readonly<Record<string, string>>;
    readonly md5?: string;
  }[];
  readonly unreadable?: readonly { readonly key: string; readonly why: string }[];
}

/** `GET /SITE/basebackup`: what the site has, and the sites that it was moved from. Objects that are no usable backups are named apart. */
export async function listBasebackups(site: SiteServices, request: ApiRequest, limits: WaitLimits): Promise<Reply> {
  return within(limits.lookWaitMsMax, request.signal, 'listing base backups', async (signal) => {
    const listings = await Promise.all(site.catalogs.map((catalog) => catalog.basebackups(signal)));
    const entries = listings.flatMap((listing) => listing.entries);
    const unreadable = listings.flatMap((listing) => listing.unreadable);
    const basebackups = entries.map(({ key, size, lastModified, metadata, digest }) => ({
      name: key,
      size,
      last_modified: lastModified.toISOString(),
      metadata,
      // The original's name for whatever digest the store has.
      ...(digest !== undefined && { md5: digest }),
    }));
    const document: BasebackupListDocument = { basebackups, ...(unreadable.length > 0 && { unreadable }) };
    return jsonReply(document);
  });
}
