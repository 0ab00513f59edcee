import { Command } from 'commander';
import { packageVersion } from './main.ts';

export interface DaemonFlags {
  readonly config?: string;
  readonly shortLog?: boolean;
  readonly debug?: boolean;
}

export function describePghoard(): Command {
  return new Command('pghoard')
    .description('Keep PostgreSQL clusters restorable: take base backups and archive WAL.')
    .version(packageVersion())
    .option('-s, --short-log', 'log without times, for systems that add their own')
    .option('-D, --debug', 'log everything')
    .option('--config <file>', 'configuration file (default: $PGHOARD_CONFIG)')
    .argument('[config_file]', 'configuration file, as older versions took it');
}
