import { z } from 'zod';
import { numberOrText, optionGroup, pathOption, portOption } from '../../lib/option-group.ts';
import { bucketOption, commonStorageOptions, proxyOption, secretOption, segmentSizeOption, textOption } from '../common-options.ts';

/** Amazon S3 and whatever speaks like it. */
export const s3StorageOptions = optionGroup({
  storage_type: z.literal('s3').meta({ description: 'Amazon S3 or a store that speaks like it.' }),
  bucket_name: bucketOption.meta({ description: 'The bucket; where it is missing, it is made for a site that never stored anything.' }),
  region: textOption.meta({
    description:
      'Region of the bucket. Empty or null: the one of the environment or the profile; with `host`, us-east-1. Requests are always signed with version 4, also where the original took version 2 (no region, but `host`).',
  }),
  aws_access_key_id: secretOption.meta({
    description:
      'Access key. Null: credentials are looked for as Amazon’s own tools do (environment, profile, web identity token, container, instance), and renewed before they expire.',
  }),
  aws_secret_access_key: secretOption.meta({ description: 'Secret that goes with the access key.' }),
  aws_session_token: secretOption.meta({ description: 'Token of temporary credentials.', since: 'after 1.4' }),
  role_arn: textOption.meta({
    description: 'Role to assume with the credentials above, such as `arn:aws:iam::123456789012:role/backup`; renewed before it expires.',
    since: '3.0',
  }),
  role_external_id: textOption.meta({ description: 'External id that `role_arn` asks for.', since: '3.0' }),
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
  is_verify_tls: z.boolean().default(false).meta({
    description:
      'Check the certificate of `host`. `cert_path` has it checked too; without both, whoever stands between can read and change what is sent.',
    since: 'after 1.4',
  }),
  cert_path: pathOption
    .nullable()
    .default(null)
    .meta({ description: 'File of certificates (PEM) to trust, instead of those that Node.js brings.', since: 'after 1.4' }),
  addressing_style: z.enum(['path', 'virtual', 'auto']).default('path').meta({
    description: 'Whether the bucket is named in the path or in the host name.',
    since: 'after 1.4',
  }),
  use_dualstack_endpoint: z.boolean().default(true).meta({ description: 'Use Amazon’s endpoints that have IPv6 too.', since: 'after 1.4' }),
  encrypted: z.boolean().default(false).meta({ description: 'Ask the store to encrypt at rest (SSE-S3, AES256).', since: 'after 1.4' }),
  sse_kms_key_id: textOption.meta({
    description: 'Key of AWS KMS to encrypt with at rest (SSE-KMS), instead of `encrypted`.',
    since: '3.0',
  }),
  storage_class: textOption.meta({
    description:
      'Storage class of what is stored, such as `STANDARD_IA`. Null: the bucket’s. Not one that must be thawed before it can be read.',
    since: '3.0',
  }),
  object_tags: z
    .record(z.string().min(1).max(128), z.string().max(256))
    .default({})
    .meta({ description: 'Names and values of tags that every object gets.', since: '3.0' }),
  object_lock_days: z.int().min(1).max(36_500).nullable().default(null).meta({
    description:
      'Days for which nobody may delete or replace what is stored (object lock); the bucket must have been made with object lock. Retention deletes what it wants to delete once the lock has ended. Null: no lock is asked for.',
    since: '3.0',
  }),
  object_lock_mode: z.enum(['governance', 'compliance']).default('governance').meta({
    description: 'Whether somebody with the right to do so may lift the lock (`governance`), or nobody (`compliance`).',
    since: '3.0',
  }),
  segment_size: segmentSizeOption.meta({
    description: 'Bytes of a part of a multipart upload, at least 5 MiB. Null: 8 MiB, more for very large objects.',
  }),
  min_multipart_chunk_size: segmentSizeOption.meta({
    description: 'Smallest part of a multipart upload in bytes, if `segment_size` is not set.',
    since: 'after 1.4',
  }),
  connect_timeout: numberOrText
    .nullable()
    .default(null)
    .meta({ description: 'Seconds to wait for a connection. Null: 20.', since: 'after 1.4' }),
  read_timeout: numberOrText
    .nullable()
    .default(null)
    .meta({ description: 'Seconds without any byte after which a request is given up. Null: 60.', since: 'after 1.4' }),
  user_agent_extra: textOption.meta({ description: 'Appended to the User-Agent of our requests.', since: 'after 1.4' }),
  proxy_info: proxyOption,
  ...commonStorageOptions.shape,
});

export type S3StorageOptions = z.output<typeof s3StorageOptions>;
