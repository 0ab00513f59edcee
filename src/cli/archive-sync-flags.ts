import { Command, InvalidArgumentError } from 'commander';
import { type CommonFlags, withCommonFlags } from './parse-flags.ts';

export interface SyncFlags extends CommonFlags {
  readonly verify: boolean;
  readonly createNewBackupOnFailure?: boolean;
  readonly maxHashChecks: number;
  readonly debug?: boolean;
}

const hashChecksDefault = 100;

export function describeArchiveSync(): Command {
  return withCommonFlags(new Command('pghoard_archive_sync'), process.env)
    .description('Archive what the WAL directory of the server still has and the archive lacks, and verify the archive.')
    .option('-D, --debug', 'show where errors come from')
    .option('--no-verify', 'do not verify that all WAL since the newest base backup is archived')
    .option('--create-new-backup-on-failure', 'ask for a new base backup if that is not so')
    .option('--max-hash-checks <count>', 'compare the content of at most so many files; negative: of all', parseCount, hashChecksDefault);
}

function parseCount(text: string): number {
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number.');
}
