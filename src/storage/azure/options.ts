import { z } from 'zod';
import { optionGroup, pathOption, portOption } from '../../lib/option-group.ts';
import { bucketOption, commonStorageOptions, proxyOption, secretOption, textOption } from '../common-options.ts';

/** Azure Blob Storage. */
export const azureStorageOptions = optionGroup({
  storage_type: z.literal('azure').meta({ description: 'Azure Blob Storage.' }),
  bucket_name: bucketOption.meta({
    description: 'The container; where it is missing, it is made for a site that never stored anything.',
    since: '1.5',
    spellings: ['container_name'],
  }),
  account_name: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .meta({ description: 'The storage account; needed unless there is a `connection_string`.' }),
  account_key: secretOption.meta({
    description: 'Key of the account. With neither key nor `sas_token` nor `connection_string`: the identity of the machine or workload.',
  }),
  sas_token: secretOption.meta({ description: 'Shared access signature, instead of the key.', since: 'after 1.4' }),
  connection_string: secretOption.meta({
    description: 'Account, key or shared access signature, and endpoint in one, as the portal shows it. Instead of all of those.',
    since: '3.0',
  }),
  azure_cloud: z
    .enum(['public', 'germany', 'china', 'usgovernment'])
    .nullable()
    .default(null)
    .meta({ description: 'Which of Azure’s clouds.', since: 'after 1.4' }),
  host: textOption.meta({ description: 'Host of a store other than Azure’s, such as an emulator.', since: 'after 1.4' }),
  port: portOption.nullable().default(null).meta({ description: 'Port that goes with `host`.', since: 'after 1.4' }),
  is_secure: z.boolean().default(true).meta({ description: 'Use HTTPS with `host`.', since: 'after 1.4' }),
  cert_path: pathOption.nullable().default(null).meta({ description: 'File of certificates to trust.', since: '3.0' }),
  access_tier: z.enum(['Hot', 'Cool', 'Cold', 'Archive']).nullable().default(null).meta({
    description:
      'Access tier of new objects. Null: that of the account. What is in `Archive` must be brought back before it can be restored.',
    since: '3.0',
  }),
  object_tags: z
    .record(z.string().min(1).max(128), z.string().max(256))
    .nullable()
    .default(null)
    .meta({ description: 'Index tags of new objects: up to ten names and values.', since: '3.0' }),
  encryption_scope: textOption.meta({ description: 'Encryption scope of new objects. Null: that of the container.', since: '3.0' }),
  object_lock_days: z.int().min(1).max(36_500).nullable().default(null).meta({
    description: 'Days for which nobody can delete or replace a new object. The container must allow version-level immutability.',
    since: '3.0',
  }),
  object_lock_mode: z
    .enum(['governance', 'compliance'])
    .default('governance')
    .meta({ description: 'Whether who has the right to may shorten that (an unlocked policy), or nobody (a locked one).', since: '3.0' }),
  proxy_info: proxyOption,
  ...commonStorageOptions.shape,
});

export type AzureStorageOptions = z.output<typeof azureStorageOptions>;
