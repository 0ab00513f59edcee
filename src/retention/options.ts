import { z } from 'zod';
import { optionGroup } from '../lib/option-group.ts';

const periodOption = z.int().min(0).default(0);

const keepOption = optionGroup({
  daily: periodOption.meta({ description: 'For how many days the last base backup of each is kept.' }),
  weekly: periodOption.meta({ description: 'For how many weeks, from Monday on.' }),
  monthly: periodOption.meta({ description: 'For how many months.' }),
  yearly: periodOption.meta({ description: 'For how many years.' }),
});

/** How long base backups of a site, and the WAL they need, are kept. */
export const retentionSiteOptions = optionGroup({
  basebackup_count: z.int().min(1).nullable().optional().meta({
    description: 'How many base backups are kept. Null: no limit by count.',
    defaultText: '2; no limit by count where `recovery_window_days` or `keep` is set',
  }),
  basebackup_count_min: z.int().min(0).default(2).meta({
    description: 'How many base backups are kept whatever their age. 0: age deletes nothing.',
    since: '2.1.1',
  }),
  basebackup_age_days_max: z.number().gt(0).nullable().default(null).meta({
    description: 'Days after which a base backup is deleted, counted from the time the next one was due. Null: no limit by age.',
    since: '2.1.1',
  }),
  recovery_window_days: z.number().gt(0).max(36_500).nullable().default(null).meta({
    description:
      'The cluster can be restored to any second of so many days: the newest base backup that had ended before them stays, with all that follows. Null: no such promise.',
    since: '3.0',
  }),
  keep: keepOption.nullable().default(null).meta({
    description:
      'Of how many days, weeks, months and years (in `basebackup_time_zone`) that have any base backup the last one is kept. What is kept for this alone can be restored to the moment it ended, and keeps no other WAL.',
    since: '3.0',
  }),
  retention_confirmation: z.boolean().default(true).meta({
    description:
      'A pass that would delete more than half of the base backups, or of the WAL, waits until `pghoard retention --confirm` says that it is meant. Not asked is what goes by unchanged rules because a new base backup has come.',
    since: '3.0',
  }),
});

export type RetentionSiteOptions = z.output<typeof retentionSiteOptions>;
