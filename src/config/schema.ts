import { z } from 'zod';
import { basebackupSiteOptions } from '../basebackup/options.ts';
import { catalogGlobalOptions, catalogSiteOptions } from '../catalog/options.ts';
import { codecGlobalOptions, codecSiteOptions } from '../codec/options.ts';
import { alertGlobalOptions, alertSiteOptions } from '../daemon/alerts/options.ts';
import { httpGlobalOptions } from '../daemon/http/options.ts';
import { lifecycleGlobalOptions } from '../daemon/lifecycle/options.ts';
import { metricsGlobalOptions } from '../daemon/metrics/options.ts';
import { daemonGlobalOptions, daemonSiteOptions } from '../daemon/options.ts';
import { optionGroup } from '../lib/option-group.ts';
import { postgresGlobalOptions, postgresSiteOptions } from '../postgres/options.ts';
import { restoreDrillSiteOptions } from '../restore/drill/options.ts';
import { restoreGlobalOptions } from '../restore/options.ts';
import { retentionSiteOptions } from '../retention/options.ts';
import { storageSiteOptions } from '../storage/options.ts';
import { transferGlobalOptions } from '../transfer/options.ts';
import { verifySiteOptions } from '../verify/options.ts';
import { walGlobalOptions, walSiteOptions } from '../wal/options.ts';

const siteShape = {
  ...daemonSiteOptions.shape,
  ...alertSiteOptions.shape,
  ...postgresSiteOptions.shape,
  ...walSiteOptions.shape,
  ...basebackupSiteOptions.shape,
  ...retentionSiteOptions.shape,
  ...verifySiteOptions.shape,
  ...restoreDrillSiteOptions.shape,
  ...catalogSiteOptions.shape,
  ...codecSiteOptions.shape,
  ...storageSiteOptions.shape,
};

const globalShape = {
  $schema: z.string().optional().meta({ description: 'Where editors find the JSON Schema of this file.', since: '3.0' }),
  ...transferGlobalOptions.shape,
  ...codecGlobalOptions.shape,
  ...httpGlobalOptions.shape,
  ...daemonGlobalOptions.shape,
  ...alertGlobalOptions.shape,
  ...lifecycleGlobalOptions.shape,
  ...walGlobalOptions.shape,
  ...restoreGlobalOptions.shape,
  ...metricsGlobalOptions.shape,
  ...catalogGlobalOptions.shape,
  ...postgresGlobalOptions.shape,
};

/** One value of `backup_sites`. */
export const siteOptions = optionGroup(siteShape, (key) =>
  Object.hasOwn(globalShape, key) ? ' (it belongs to the top level of the file)' : undefined,
);

/** The file, with its sites left for {@link siteOptions}: each is checked by itself, so that a mistake in one hides none in another. */
export const globalOptions = optionGroup({ ...globalShape, backup_sites: z.record(z.string(), z.unknown()).default({}) }, (key) =>
  Object.hasOwn(siteShape, key) ? ' (it belongs to a site in "backup_sites")' : undefined,
);

/** The whole file, for the reference and the JSON Schema. */
export const fileOptions = optionGroup({
  ...globalShape,
  backup_sites: z.record(z.string(), siteOptions).default({}).meta({
    description: 'The clusters to back up, by name.',
  }),
});

export type GlobalOptions = z.output<typeof globalOptions>;
export type SiteOptions = z.output<typeof siteOptions>;
