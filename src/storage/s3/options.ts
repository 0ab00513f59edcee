import { z } from 'zod';
import { numberOrText, optionGroup, pathOption, portOption } from '../../lib/option-group.ts';
import { bucketOption, commonStorageOptions, proxyOption, secretOption, segmentSizeOption, textOption } from '../common-options.ts';

/** Amazon S3 and whatever speaks like it. */
export const s3StorageOptions = optionGroup({
  storage_type: z.literal('s3').meta({ description: 'Amazon S3 or a store that speaks like it.' }),
  bucket_name: bucketOption.meta({ description: 'The bucket; made where it is missing.' }),
  region: textOption.meta({
    description: 'Region of the bucket. Empty or null with `host`: requests are signed the older way (v2).',
  }),
  aws_access_key_id: secretOption.meta({ description: 'Access key. Null: from the environment or the instance.' }),
  aws_secret_access_key: secretOption.meta({ description: 'Secret that goes with the access key.' }),
  aws_session_token: secretOption.meta({ description: 'Token of temporary credentials.', since: 'after 1.4' }),
  host: textOption.meta({ description: 'Host of a store other than Amazon’s.' }),
  port: z
    .union(
      [
        portOption,
        z
          .string()
          .regex(/^\d{1,5}$/)
          .transform(Number),
      ],
      'must be a port number',
    )
    .nullable()
    .default(null)
    .meta({ description: 'Port that goes with `host`.' }),
  is_secure: z.boolean().default(false).meta({ description: 'Use HTTPS with `host`.' }),
  is_verify_tls: z.boolean().default(false).meta({ description: 'Check the certificate of `host`.', since: 'after 1.4' }),
  cert_path: pathOption.nullable().default(null).meta({ description: 'File of certificates to trust.', since: 'after 1.4' }),
  addressing_style: z.enum(['path', 'virtual', 'auto']).default('path').meta({
    description: 'Whether the bucket is named in the path or in the host name.',
    since: 'after 1.4',
  }),
  use_dualstack_endpoint: z.boolean().default(true).meta({ description: 'Use Amazon’s endpoints that have IPv6 too.', since: 'after 1.4' }),
  encrypted: z.boolean().default(false).meta({ description: 'Ask the store to encrypt at rest (SSE-S3, AES256).', since: 'after 1.4' }),
  segment_size: segmentSizeOption.meta({ description: 'Bytes of a part of a multipart upload. Null: chosen by us.' }),
  min_multipart_chunk_size: segmentSizeOption.meta({
    description: 'Smallest part of a multipart upload in bytes. Null: chosen by us.',
    since: 'after 1.4',
  }),
  connect_timeout: numberOrText.nullable().default(null).meta({ description: 'Seconds to wait for a connection.', since: 'after 1.4' }),
  read_timeout: numberOrText.nullable().default(null).meta({ description: 'Seconds to wait for an answer.', since: 'after 1.4' }),
  user_agent_extra: textOption.meta({ description: 'Appended to the User-Agent of our requests.', since: 'after 1.4' }),
  proxy_info: proxyOption,
  ...commonStorageOptions.shape,
});

export type S3StorageOptions = z.output<typeof s3StorageOptions>;
