import { z } from 'zod';
import { optionGroup, pathOption } from '../../lib/option-group.ts';
import { bucketOption, commonStorageOptions, secretOption, segmentSizeOption, textOption } from '../common-options.ts';

const v3 = (what: string) => textOption.meta({ description: `${what} (Keystone v3).`, since: 'after 1.4' });

/** OpenStack Swift. */
export const swiftStorageOptions = optionGroup({
  storage_type: z.literal('swift').meta({ description: 'OpenStack Swift.', since: '1.1' }),
  container_name: bucketOption.meta({
    description: 'The container; where it is missing, it is made for a site that never stored anything.',
    since: '1.1',
  }),
  user: textOption.meta({ description: 'User name.', since: '1.1' }),
  key: secretOption.meta({ description: 'Password or key.', since: '1.1' }),
  auth_url: z.url({ protocol: /^https?$/ }).meta({ description: 'Where to log in.', since: '1.1' }),
  auth_version: z
    .union([z.number(), z.string().regex(/^[123](\.0)?$/)], 'must be 1, 2 or 3')
    .transform((version) => Math.trunc(Number(version)))
    .pipe(z.literal([1, 2, 3]))
    .default(2)
    .meta({ description: 'Version of the login: 1 (TempAuth), 2 or 3 (Keystone).', since: '1.1' }),
  tenant_name: textOption.meta({ description: 'Tenant (Keystone v2), or project (v3).', since: '1.1' }),
  segment_size: segmentSizeOption.meta({ description: 'Bytes above which objects are stored in segments. Null: 3 GiB.', since: '1.1' }),
  region_name: textOption.meta({ description: 'Region of the service. Null: the first one named.', since: 'after 1.4' }),
  user_id: v3('Id of the user, instead of `user`'),
  user_domain_id: v3('Id of the user’s domain. Neither id nor name: `default`'),
  user_domain_name: v3('Name of the user’s domain'),
  tenant_id: textOption.meta({ description: 'Id of the tenant (Keystone v2), or of the project (v3).', since: 'after 1.4' }),
  project_id: v3('Id of the project'),
  project_name: v3('Name of the project'),
  project_domain_id: v3('Id of the project’s domain. Neither id nor name: `default`'),
  project_domain_name: v3('Name of the project’s domain'),
  application_credential_id: textOption.meta({
    description: 'Id of an application credential (Keystone v3), instead of user, key and project.',
    since: '3.0',
  }),
  application_credential_secret: secretOption.meta({ description: 'Secret that goes with it.', since: '3.0' }),
  service_type: textOption.meta({ description: 'Type of the service in Keystone’s catalog. Null: `object-store`.', since: 'after 1.4' }),
  endpoint_type: textOption.meta({
    description: 'Kind of endpoint in Keystone’s catalog: `public`, `internal` or `admin`. Null: `public`.',
    since: 'after 1.4',
  }),
  cert_path: pathOption
    .nullable()
    .default(null)
    .meta({ description: 'File of certificates to trust, instead of the well-known ones.', since: '3.0' }),
  ...commonStorageOptions.shape,
});

export type SwiftStorageOptions = z.output<typeof swiftStorageOptions>;
