import { z } from 'zod';
import { optionGroup } from '../lib/option-group.ts';
import { keyPrefixOption } from '../storage/common-options.ts';

/** Where sites lie in their stores, for all of them. */
export const catalogGlobalOptions = optionGroup({
  path_prefix: keyPrefixOption.nullable().default(null).meta({
    description: 'What comes before the site’s name in the keys of its objects, for sites without a `prefix`.',
    deprecated: true,
    instead: 'prefix of the site',
  }),
});

/** Where a site lies in its store. */
export const catalogSiteOptions = optionGroup({
  prefix: keyPrefixOption.nullable().default(null).meta({
    description: 'What the keys of the site’s objects begin with, without slashes at its ends.',
    since: '1.7',
    defaultText: '`path_prefix`/name of the site',
  }),
  moved_from: z.array(z.string().min(1)).default([]).meta({
    description:
      'Other sites whose base backups count as this site’s own: for listing and restore after a move and, where they are of the same cluster, for the schedule and retention.',
    since: '2.7',
  }),
});

export type CatalogGlobalOptions = z.output<typeof catalogGlobalOptions>;
export type CatalogSiteOptions = z.output<typeof catalogSiteOptions>;
