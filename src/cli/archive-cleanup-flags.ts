import { Command } from 'commander';
import { type CommonFlags, withCommonFlags } from './parse-flags.ts';

export interface CleanupFlags extends CommonFlags {
  readonly dryRun?: boolean;
}

export function describeArchiveCleanup(): Command {
  return withCommonFlags(new Command('pghoard_archive_cleanup'), process.env)
    .description('Delete archived WAL that lies before every base backup, such as what gaps in the archive have left behind.')
    .option('--dry-run', 'only list what would be deleted');
}
