import { z } from 'zod';
import { didYouMean } from '../lib/did-you-mean.ts';
import { optionGroup } from '../lib/option-group.ts';
import { azureStorageOptions } from './azure/options.ts';
import { googleStorageOptions } from './google/options.ts';
import { localStorageOptions } from './local/options.ts';
import { s3StorageOptions } from './s3/options.ts';
import { sftpStorageOptions } from './sftp/options.ts';
import { swiftStorageOptions } from './swift/options.ts';

export const storageOptionsByType = {
  local: localStorageOptions,
  s3: s3StorageOptions,
  google: googleStorageOptions,
  azure: azureStorageOptions,
  swift: swiftStorageOptions,
  sftp: sftpStorageOptions,
} as const;

const storageTypes = Object.keys(storageOptionsByType);

/** A store, by its `storage_type`. */
export const storageOptions = z.discriminatedUnion(
  'storage_type',
  [localStorageOptions, s3StorageOptions, googleStorageOptions, azureStorageOptions, swiftStorageOptions, sftpStorageOptions],
  { error: (issue) => (issue.code === 'invalid_union' ? wrongType(issue.input) : undefined) },
);

/** Where the objects of a site are kept. */
export const storageSiteOptions = optionGroup({
  object_storage: storageOptions.nullable().default(null).meta({
    description: 'The store that keeps the site’s backups.',
    defaultText: 'the directory `object_storage` in `backup_location`, with a warning',
  }),
});

/** Plain data, so that it can be sent to a worker. */
export type StorageOptions = z.output<typeof storageOptions>;
export type StorageSiteOptions = z.output<typeof storageSiteOptions>;

function wrongType(input: unknown): string {
  const given = (input as { storage_type?: unknown }).storage_type;
  const choice = `one of ${storageTypes.join(', ')}`;
  if (given === undefined) return `is missing: ${choice}`;
  return typeof given === 'string'
    ? `unsupported storage type "${given}", must be ${choice}${didYouMean(given, storageTypes)}`
    : `must be ${choice}`;
}
