import { z } from 'zod';
import { optionGroup } from '../../lib/option-group.ts';

const seconds = z.number().min(1);

/** After how long without any progress a job counts as hanging. */
export const stalledAfterOptions = optionGroup({
  basebackup: seconds.default(3600).meta({
    description: 'A base backup of which no byte is read or stored. It is given up, and begun anew later.',
    since: '3.0',
  }),
  upload: seconds.default(300).meta({
    description: 'An upload of which the store takes no byte. It is begun anew once the store has answered.',
    since: '3.0',
  }),
  listing: seconds
    .default(900)
    .meta({ description: 'Listing of base backups. It is asked for again once the store has answered.', since: '3.0' }),
  retention: seconds.default(3600).meta({
    description: 'Deletion of what is no longer needed. It is begun anew once the store has answered.',
    since: '3.0',
  }),
  wal_check: seconds.default(1800).meta({
    description: 'The look for holes in the WAL. It is begun anew once the store has answered.',
    since: '3.0',
  }),
  receiver: seconds.default(120).meta({
    description:
      'A receiver to which no WAL comes though the server writes some: a program that was stopped, a connection that is dead. It is started again.',
    since: '3.0',
  }),
  wal_index: seconds.default(900).meta({
    description: 'Making up for an index of WAL that is missing. It is begun anew once the store has answered.',
    since: '3.0',
  }),
  verify: seconds.default(3600).meta({
    description: 'Reading again what is stored. It goes on where it was once the store has answered.',
    since: '3.0',
  }),
  server: seconds.default(120).meta({
    description: 'A look at the data directory of the server, which may be on a disk that does not answer.',
    since: '3.0',
  }),
  site: seconds.default(7200).meta({
    description: 'A whole pass over a site, after all of that. systemd restarts the daemon then (`WatchdogSec`): only a restart helps.',
    since: '3.0',
  }),
});

export const lifecycleGlobalOptions = optionGroup({
  spool_reserve_bytes: z
    .int()
    .min(0)
    .nullable()
    .default(null)
    .meta({
      description:
        'What base backups leave free on the disk of `backup_location`, for WAL. With less, a base backup that is being taken is given up; none is begun before half as ' +
        'much again is free.',
      since: '3.0',
      defaultText: '1 GiB, but no more than a twentieth of the disk',
    }),
  stalled_after_seconds: stalledAfterOptions.prefault({}).meta({
    description:
      'After so many seconds without any progress a job counts as hanging: the alert `job_stalled` tells of it, and everything else goes on.',
    since: '3.0',
  }),
});

export type StalledAfterOptions = z.output<typeof stalledAfterOptions>;
export type JobKind = keyof StalledAfterOptions;
