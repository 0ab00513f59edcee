import { z } from 'zod';
import { optionGroup, pathOption } from '../../lib/option-group.ts';
import { bucketOption, commonStorageOptions, proxyOption, textOption } from '../common-options.ts';

/** Google Cloud Storage. */
export const googleStorageOptions = optionGroup({
  storage_type: z.literal('google').meta({ description: 'Google Cloud Storage.' }),
  project_id: textOption.meta({ description: 'The project; needed to make a bucket.' }),
  bucket_name: bucketOption.meta({ description: 'The bucket; made where it is missing.' }),
  credential_file: pathOption.nullable().default(null).meta({ description: 'JSON file with credentials.' }),
  credentials: z
    .looseObject({ type: z.enum(['service_account', 'authorized_user', 'access_token']) })
    .nullable()
    .default(null)
    .meta({ description: 'What would stand in `credential_file`. Neither: the application’s default credentials.' }),
  proxy_info: proxyOption,
  ...commonStorageOptions.shape,
});

export type GoogleStorageOptions = z.output<typeof googleStorageOptions>;
