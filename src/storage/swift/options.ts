import { z } from 'zod';
import { optionGroup } from '../../lib/option-group.ts';
import { bucketOption, commonStorageOptions, segmentSizeOption, textOption } from '../common-options.ts';

const v3 = (what: string) => textOption.meta({ description: `${what} (Keystone v3).`, since: 'after 1.4' });

/** OpenStack Swift. */
export const swiftStorageOptions = optionGroup({
  storage_type: z.literal('swift').meta({ description: 'OpenStack Swift.', since: '1.1' }),
  container_name: bucketOption.meta({ description: 'The container; made where it is missing.', since: '1.1' }),
  user: z.string().min(1).meta({ description: 'User name.', since: '1.1' }),
  key: z.string().min(1).meta({ description: 'Password or key.', since: '1.1' }),
  auth_url: z.url({ protocol: /^https?$/ }).meta({ description: 'Where to log in.', since: '1.1' }),
  auth_version: z
    .union([z.number(), z.string().regex(/^[123](\.0)?$/)], 'must be 1, 2 or 3')
    .transform((version) => Math.trunc(Number(version)))
    .pipe(z.literal([1, 2, 3]))
    .default(2)
    .meta({ description: 'Version of the login: 1 (TempAuth), 2 or 3 (Keystone).', since: '1.1' }),
  tenant_name: textOption.meta({ description: 'Tenant (Keystone v2).', since: '1.1' }),
  segment_size: segmentSizeOption.meta({ description: 'Bytes above which objects are stored in segments. Null: 3 GiB.', since: '1.1' }),
  region_name: textOption.meta({ description: 'Region of the service.', since: 'after 1.4' }),
  user_id: v3('Id of the user'),
  user_domain_id: v3('Id of the user’s domain'),
  user_domain_name: v3('Name of the user’s domain'),
  tenant_id: v3('Id of the tenant'),
  project_id: v3('Id of the project'),
  project_name: v3('Name of the project'),
  project_domain_id: v3('Id of the project’s domain'),
  project_domain_name: v3('Name of the project’s domain'),
  service_type: v3('Type of the service in the catalog'),
  endpoint_type: v3('Kind of endpoint in the catalog'),
  ...commonStorageOptions.shape,
});

export type SwiftStorageOptions = z.output<typeof swiftStorageOptions>;
