import { z } from 'zod';
import { optionGroup, pathOption } from '../../lib/option-group.ts';
import { bucketOption, commonStorageOptions, proxyOption, textOption } from '../common-options.ts';

/** Kinds of credentials; those after `access_token` are known since this version. */
const credentialTypes = [
  'service_account',
  'authorized_user',
  'access_token',
  'external_account',
  'external_account_authorized_user',
  'impersonated_service_account',
] as const;

/** Google Cloud Storage. */
export const googleStorageOptions = optionGroup({
  storage_type: z.literal('google').meta({ description: 'Google Cloud Storage.' }),
  project_id: textOption.meta({ description: 'The project; needed to make a bucket.' }),
  bucket_name: bucketOption.meta({ description: 'The bucket; where it is missing, it is made for a site that never stored anything.' }),
  credential_file: pathOption.nullable().default(null).meta({ description: 'JSON file with credentials.' }),
  credentials: z
    .looseObject({ type: z.enum(credentialTypes) })
    .nullable()
    .default(null)
    .meta({ description: 'What would stand in `credential_file`. Neither: the application’s default credentials.' }),
  api_endpoint: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null)
    .meta({
      description: 'Where requests go instead of `https://storage.googleapis.com`: a private or regional endpoint, an emulator.',
      since: '3.0',
    }),
  cert_path: pathOption
    .nullable()
    .default(null)
    .meta({ description: 'File of certificates to trust beside those of the system.', since: '3.0' }),
  storage_class: textOption.meta({ description: 'Storage class of new objects. Null: that of the bucket.', since: '3.0' }),
  kms_key_name: textOption.meta({
    description: 'Cloud KMS key that encrypts new objects, `projects/P/locations/L/keyRings/R/cryptoKeys/K`. Null: that of the bucket.',
    since: '3.0',
  }),
  object_lock_days: z
    .int()
    .min(1)
    .max(36_500)
    .nullable()
    .default(null)
    .meta({ description: 'Days for which nobody can delete a new object. The bucket must have object retention enabled.', since: '3.0' }),
  object_lock_mode: z.enum(['governance', 'compliance']).default('governance').meta({
    description: 'Whether those with a special permission may end the lock (`governance`: unlocked) or nobody (`compliance`: locked).',
    since: '3.0',
  }),
  proxy_info: proxyOption,
  ...commonStorageOptions.shape,
});

export type GoogleStorageOptions = z.output<typeof googleStorageOptions>;
