import { z } from 'zod';
import { optionGroup } from '../lib/option-group.ts';

/** How long base backups of a site, and the WAL they need, are kept. */
export const retentionSiteOptions = optionGroup({
  basebackup_count: z.int().min(1).nullable().default(2).meta({
    description: 'How many base backups are kept. Null: no limit by count.',
  }),
  basebackup_count_min: z.int().min(0).default(2).meta({
    description: 'How many base backups are kept whatever their age. 0: age deletes nothing.',
    since: '2.1.1',
  }),
  basebackup_age_days_max: z.number().gt(0).nullable().default(null).meta({
    description: 'Days after which a base backup is deleted, counted from the time the next one was due. Null: no limit by age.',
    since: '2.1.1',
  }),
});

export type RetentionSiteOptions = z.output<typeof retentionSiteOptions>;
