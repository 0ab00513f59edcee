import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { optionGroup, pathOption } from '../lib/option-group.ts';

export const transferOptions = optionGroup({
  thread_count: z
    .int()
    .min(1)
    .optional()
    .transform((count) => count ?? Math.min(availableParallelism() + 3, 20))
    .meta({
      description: 'How many objects are uploaded or downloaded at once.',
      defaultText: 'number of processors + 3, at most 20',
    }),
});

/** The way between the local disk and the stores, for all sites. */
export const transferGlobalOptions = optionGroup({
  backup_location: pathOption.nullable().default(null).meta({
    description:
      'Directory in which objects wait for their upload. Needed by the daemon. No store: it must not be a site’s `object_storage.directory`.',
  }),
  transfer: transferOptions.prefault({}).meta({ description: 'Uploads and downloads.' }),
  upload_retries_warning_limit: z.int().min(0).default(3).meta({
    description: 'After more failures of one upload than this an alert file is written.',
  }),
});

export type TransferOptions = z.output<typeof transferOptions>;
export type TransferGlobalOptions = z.output<typeof transferGlobalOptions>;
