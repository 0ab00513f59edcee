import { z } from 'zod';
import { type HashAlgorithm, hashAlgorithms } from '../lib/hash-algorithms.ts';
import { optionGroup } from '../lib/option-group.ts';

const hashNames = Object.keys(hashAlgorithms) as [HashAlgorithm, ...HashAlgorithm[]];

/** Archiving and fetching of WAL, for all sites. */
export const walGlobalOptions = optionGroup({
  restore_prefetch: z
    .int()
    .min(0)
    .nullable()
    .default(null)
    .meta({
      description:
        'How many WAL segments after the requested one are fetched ahead while a server recovers, at most; 0: none. Between `transfer.thread_count` and this, ' +
        'as many as it takes for PostgreSQL not to wait. They take at most 2 GiB and half of what is free in `backup_location`.',
      defaultText: '64',
    }),
  hash_algorithm: z.enum(hashNames).default('sha1').meta({
    description: 'Digest of each WAL segment that is kept in its metadata.',
    since: '2.1',
  }),
});

export const walReceiverOptions = optionGroup({
  disk_space_check_interval: z.number().gt(0).default(10).meta({
    description: 'Seconds between looks at the free space.',
    since: '2.1.1',
  }),
  min_disk_free_bytes: z.int().min(0).nullable().default(null).meta({
    description: 'Receiving pauses while fewer bytes are free. Null: while not even three WAL segments fit.',
    since: '2.1.1',
  }),
  resume_multiplier: z.number().min(1).default(1.5).meta({
    description: 'Receiving goes on once `min_disk_free_bytes` times this many bytes are free.',
    since: '2.1.1',
  }),
});

/** How the WAL of a site reaches us. */
export const walSiteOptions = optionGroup({
  active_backup_mode: z
    .enum(['pg_receivexlog', 'archive_command', 'walreceiver', 'standalone_hot_backup', 'basic'])
    .default('pg_receivexlog')
    .meta({
      description:
        'How WAL arrives: `pg_receivexlog` (pg_receivewal as a child process), `archive_command` (the server sends it), `walreceiver` (received by the ' +
        'daemon itself), `standalone_hot_backup` (none, each base backup carries what it needs), `basic` (none).',
    }),
  basebackup_after_wal_gap: z
    .boolean()
    .default(true)
    .meta({
      description:
        'Take a base backup where WAL is missing in the archive and cannot be fetched from anywhere: what was written behind the hole cannot be restored ' +
        'without one. Without effect where `basebackup_interval_hours` is null.',
      since: '3.0',
    }),
  wal_listing_seconds: z
    .number()
    .min(1)
    .default(300)
    .meta({
      description:
        'How often stored WAL is listed again, so that what has vanished from the store is noticed: up to 10 000 segments are at once (some 10 requests), of more ' +
        'the newest 10 000 each time and the others in turn. Everything is listed at the start, every six hours, and after deletions.',
      since: '3.0',
    }),
  wal_index: z
    .boolean()
    .default(true)
    .meta({
      description:
        'Store beside each WAL segment what happened in it and when: commits, restore points, checkpoints. It says which moment can be restored before anybody ' +
        'tries. Some kilobytes and one more request to the store for each segment.',
      since: '3.0',
    }),
  wal_index_backfill_bytes_per_hour: z
    .int()
    .min(0)
    .default(2 * 1024 ** 3)
    .meta({
      description:
        'Of WAL that is stored without its index, such as what was archived by an older version, so many bytes are fetched in an hour at most to make up for ' +
        'that, newest first. 0: none. Needs the private key where WAL is encrypted.',
      defaultText: '2 GiB',
      since: '3.0',
    }),
  wal_durability: z
    .enum(['local', 'store'])
    .default('local')
    .meta({
      description:
        'When a `walreceiver` tells the server that WAL is safe: once it is on the disk of the daemon (`local`), or in the object store (`store`). A commit ' +
        'waits for it if `synchronous_standby_names` names the receiver.',
      since: '3.0',
    }),
  pg_receivexlog: walReceiverOptions.prefault({}).meta({
    description: 'Pauses receiving of WAL before the disk is full.',
    since: '2.1.1',
  }),
});

export type WalGlobalOptions = z.output<typeof walGlobalOptions>;
export type WalReceiverOptions = z.output<typeof walReceiverOptions>;
export type WalSiteOptions = z.output<typeof walSiteOptions>;
