import { z } from 'zod';
import { optionGroup } from '../lib/option-group.ts';
import { isTimeZone } from '../lib/time-zone.ts';

export const basebackupSources = ['prefer_standby', 'prefer_primary', 'standby', 'primary'] as const;
export const basebackupModes = ['basic', 'pipe', 'stream', 'local-tar', 'delta', 'local-tar-delta-stats'] as const;

/** What PostgreSQL takes (MAX_RATE of BASE_BACKUP): 32 KiB to 1 GiB. */
const bytesPerSecondMin = 32 * 1024;
const bytesPerSecondMax = 1024 * 1024 * 1024;

/** How and when base backups of a site are taken. */
export const basebackupSiteOptions = optionGroup({
  basebackup_mode: z
    .enum(basebackupModes)
    .default('basic')
    .meta({
      description:
        'How base backups are taken: `basic` (pg_basebackup into a file, then compressed), `pipe` (pg_basebackup straight into the compressor), ' +
        '`stream` (the server sends the files over the replication protocol, without any PostgreSQL program; they are compressed in parallel), ' +
        '`local-tar` (the daemon reads the data directory itself, in parallel), `delta` (as `local-tar`, but large files that an earlier ' +
        'backup has stored already are not stored again), `local-tar-delta-stats` (`local-tar` that also notes what `delta` would have shared).',
      since: '1.4',
    }),
  basebackup_format: z.enum(['pghoard-bb-v2', 'pghoard-bb-v1']).default('pghoard-bb-v2').meta({
    description: 'How `local-tar` backups are laid out in the store. `pghoard-bb-v1`, one object, can be read by PGHoard 1.4 and 1.5.',
    since: '3.0',
  }),
  basebackup_interval_hours: z.number().gt(0).nullable().default(24).meta({
    description: 'Hours from the start of one base backup to the next. Null: only on request.',
  }),
  basebackup_hour: z.int().min(0).max(23).nullable().default(null).meta({
    description:
      'Hour of the day, in `basebackup_time_zone`, at which scheduled base backups start. Null: as soon as the interval is over.',
    since: '2.1.1',
  }),
  basebackup_minute: z.int().min(0).max(59).nullable().default(null).meta({
    description: 'Minute of `basebackup_hour`.',
    since: '2.1.1',
    defaultText: '0 where `basebackup_hour` is set',
  }),
  basebackup_time_zone: z.string().refine(isTimeZone, 'must be the name of a time zone, such as "Europe/Helsinki"').default('UTC').meta({
    description:
      'The time zone of `basebackup_hour`, and of the days in `keep`. Where clocks are set forward over that hour, the backup begins as much later; what they show twice counts the first time.',
    since: '3.0',
    example: 'Europe/Helsinki',
  }),
  basebackup_from: z
    .enum(basebackupSources)
    .default('prefer_standby')
    .meta({
      description:
        'Which of `nodes` base backups are taken from: a standby where there is one that is not more than five minutes behind, else the primary; the other way ' +
        'round; or only the one or the other. Modes that read `pg_data_directory` can only take what runs there. With one node it is that one, whatever its role.',
      since: '3.0',
    }),
  basebackup_standby_lag_seconds_max: z.number().min(0).nullable().default(null).meta({
    description:
      'How many seconds a standby may be behind the primary for a base backup to be taken from it. Null: any, but the primary is preferred to one that is far behind.',
    since: '3.0',
  }),
  basebackup_chunk_size: z.int().min(1).default(2_147_483_648).meta({
    description: 'Bytes of files, before compression, after which `local-tar` and `stream` begin another chunk.',
    since: '1.6',
  }),
  basebackup_chunks_in_progress: z.int().min(1).default(5).meta({
    description: 'How many chunks of a backup may be on the local disk at once, waiting for their upload to end.',
    since: '1.6',
  }),
  basebackup_bytes_per_second_max: z.int().min(bytesPerSecondMin).max(bytesPerSecondMax).nullable().default(null).meta({
    description: 'How many bytes per second the server sends at most in a `stream` backup, before compression; it limits itself.',
    since: '3.0',
    example: 52_428_800,
    defaultText: 'no limit',
  }),
  basebackup_threads: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .meta({
      description: 'How many chunks of a backup are made at once.',
      since: '2.1.1',
      spellings: ['basebackup_thread'],
      defaultText: '`compression.thread_count`',
    }),
  basebackup_compression_threads: z.int().min(0).default(0).meta({
    description: 'Extra threads that compress one chunk, where the compression algorithm has them.',
    since: '2.1.1',
  }),
  basebackup_delta_mode_max_retries: z
    .int()
    .min(0)
    .default(10)
    .meta({
      description:
        'A failed base backup of any mode is tried again after 10 s, 30 s, … at most an hour. In mode `delta`, after this many repetitions that failed ' +
        'none is tried until one is requested, or `basebackup_interval_hours` have passed.',
      since: '2.2',
    }),
  basebackup_delta_mode_min_delta_file_size: z.int().min(0).default(10_485_760).meta({
    description:
      'Bytes from which on `delta` stores a file as an object of its own, shared by all backups with the same content. Smaller ones go into bundles. 0: no bundles.',
    since: '2.3',
  }),
  basebackup_delta_mode_chunk_size: z.int().min(1).default(524_288_000).meta({
    description: 'Bytes of small files, before compression, after which `delta` begins another bundle.',
    since: '2.3',
  }),
  basebackup_verify_checksums: z
    .boolean()
    .default(true)
    .meta({
      description:
        'Whether `local-tar` and `delta` check the page checksums of a cluster that has them, as the server does in the other modes. A wrong one is told (alert ' +
        '`page_checksum_errors`), and the backup is completed.',
      since: '3.0',
    }),
  stream_compression: z.boolean().nullable().default(null).meta({
    description: 'True selects `pipe` where `basebackup_mode` is not given.',
    deprecated: true,
    instead: 'basebackup_mode "pipe"',
  }),
});

export type BasebackupSiteOptions = z.output<typeof basebackupSiteOptions>;
