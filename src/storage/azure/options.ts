import { z } from 'zod';
import { optionGroup, portOption } from '../../lib/option-group.ts';
import { bucketOption, commonStorageOptions, proxyOption, secretOption, textOption } from '../common-options.ts';

/** Azure Blob Storage. */
export const azureStorageOptions = optionGroup({
  storage_type: z.literal('azure').meta({ description: 'Azure Blob Storage.' }),
  bucket_name: bucketOption.meta({ description: 'The container; made where it is missing.', since: '1.5', spellings: ['container_name'] }),
  account_name: z.string().min(1).meta({ description: 'The storage account.' }),
  account_key: secretOption.meta({ description: 'Key of the account.' }),
  sas_token: secretOption.meta({ description: 'Shared access signature, instead of the key.', since: 'after 1.4' }),
  azure_cloud: z
    .enum(['public', 'germany', 'china'])
    .nullable()
    .default(null)
    .meta({ description: 'Which of Azure’s clouds.', since: 'after 1.4' }),
  host: textOption.meta({ description: 'Host of a store other than Azure’s, such as an emulator.', since: 'after 1.4' }),
  port: portOption.nullable().default(null).meta({ description: 'Port that goes with `host`.', since: 'after 1.4' }),
  is_secure: z.boolean().default(true).meta({ description: 'Use HTTPS with `host`.', since: 'after 1.4' }),
  proxy_info: proxyOption,
  ...commonStorageOptions.shape,
});

export type AzureStorageOptions = z.output<typeof azureStorageOptions>;
