import { Command } from 'commander';
import { keyBitsDefault } from '../codec/keys.ts';
import { packageVersion } from './main.ts';

export interface KeyFlags {
  readonly site?: string;
  readonly keyId: string;
  readonly bits: string;
  readonly config?: string;
}

export function describeCreateKeys(): Command {
  return new Command('pghoard_create_keys')
    .description('Create an RSA key pair for encrypting the backups of a site.')
    .version(packageVersion())
    .option('-D, --debug', 'accepted for compatibility')
    .option('--site <site>', 'backup site; can be left out if the configuration file has only one')
    .requiredOption('--key-id <id>', 'name of the new key, for example a year; objects say by it which key opens them')
    .option('--bits <bits>', 'length of the key', String(keyBitsDefault))
    .option(
      '--config <file>',
      'configuration file to put the key into (default: $PGHOARD_CONFIG; without it the key is shown)',
      process.env['PGHOARD_CONFIG'] || undefined,
    )
    .allowExcessArguments(false);
}
