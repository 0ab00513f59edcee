import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { optionGroup } from '../lib/option-group.ts';

/** Restoring, for all sites. */
export const restoreGlobalOptions = optionGroup({
  restore_process_count: z
    .int()
    .min(1)
    .optional()
    .transform((count) => count ?? Math.min(availableParallelism() + 1, 20))
    .meta({
      description:
        'How many objects of a base backup are downloaded and unpacked at once, at most. Fewer for small base backups, and no more than there are processors where the store is a directory.',
      since: '2.0',
      defaultText: 'number of processors + 1, at most 20',
    }),
  tar_executable: z.string().nullable().default(null).meta({
    description: 'The program that unpacked base backups.',
    since: '2.0',
    unused: 'pghoard unpacks base backups itself',
  }),
});

export type RestoreGlobalOptions = z.output<typeof restoreGlobalOptions>;
