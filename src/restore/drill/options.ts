import { z } from 'zod';
import { optionGroup, pathOption } from '../../lib/option-group.ts';

const scheduleOption = optionGroup({
  interval_hours: z
    .number()
    .gt(0)
    .max(24 * 366)
    .default(168)
    .meta({ description: 'Hours from one drill to the next.' }),
  hour: z.int().min(0).max(23).nullable().default(null).meta({
    description: 'The hour of the day (in `basebackup_time_zone`) at which drills begin. Null: as soon as the interval is over.',
  }),
  minute: z.int().min(0).max(59).nullable().default(null).meta({ description: 'The minute of that hour.', defaultText: '0' }),
});

const queryOption = optionGroup({
  sql: z.string().min(1).meta({ description: 'A statement, run read-only. It fails the drill where it fails.' }),
  database: z.string().min(1).default('postgres').meta({ description: 'Where it is run.' }),
  expected: z.string().nullable().default(null).meta({
    description: 'What the first column of its first row must be, as text. Null: anything will do.',
  }),
});

const drillOption = optionGroup({
  schedule: scheduleOption.nullable().prefault({}).meta({
    description: 'When drills are held by themselves, by the daemon that works on the site. Null: only `pghoard drill` holds any.',
    defaultText: 'once a week',
  }),
  workdir: pathOption.meta({
    description: 'Directory in which base backups are restored, each in a directory of its own that is removed after the drill.',
  }),
  max_size: z.int().min(1).nullable().default(null).meta({
    description: 'Bytes: of a larger cluster no drill is held, and nothing of it is proven. Null: whatever there is room for.',
  }),
  time_limit_minutes: z.number().gt(0).default(1440).meta({ description: 'A drill that takes longer is stopped, and proves nothing.' }),
  target: z.enum(['random', 'latest']).default('random').meta({
    description: '`random`: a second between the end of the base backup and the last commit that is stored. `latest`: the end of the WAL.',
  }),
  pg_bin_directory: pathOption.nullable().default(null).meta({
    description:
      'Where the programs of PostgreSQL are: `postgres` of the same major version, and pg_amcheck and pg_checksums where there are any.',
    defaultText: "the site's `pg_bin_directory`, else the usual places",
  }),
  user: z
    .string()
    .min(1)
    .default('postgres')
    .meta({ description: 'A superuser of the cluster, with which the restored server is looked at.' }),
  check_relations: z
    .boolean()
    .default(true)
    .meta({ description: 'Tables and B-tree indexes of all databases are checked with pg_amcheck (PostgreSQL 14 or newer).' }),
  check_checksums: z
    .boolean()
    .default(true)
    .meta({ description: 'All pages are checked with pg_checksums, where the cluster has checksums.' }),
  queries: z
    .array(queryOption)
    .max(100)
    .default([])
    .meta({ description: 'Statements of your own that the restored server must answer as expected.' }),
  low_priority: z.boolean().default(true).meta({
    description:
      'It gets only the processor time that nothing else wants (nice 19), and is served last by the disk (ionice, where it is installed).',
  }),
});

/** Proving by doing that a site can be restored. */
export const restoreDrillSiteOptions = optionGroup({
  restore_drill: drillOption.nullable().default(null).meta({
    description:
      'Restore drills: the newest base backup is restored beside the cluster, recovered to a moment that is claimed to be restorable, started and checked. Null: none.',
    since: '3.0',
  }),
});

export type RestoreDrillOptions = NonNullable<z.output<typeof restoreDrillSiteOptions>['restore_drill']>;
export type DrillQuery = RestoreDrillOptions['queries'][number];
