import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { fromNodeProviderChain, fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import type { S3StorageOptions } from './options.ts';

type Credentials = NonNullable<S3ClientConfig['credentials']>;

export type RequestHandler = NonNullable<S3ClientConfig['requestHandler']>;

/** How to ask for temporary credentials. */
export interface TokenClients {
  readonly region: string | undefined;
  /** Where the store is Amazon's, and for whatever the environment names. */
  readonly amazon: { readonly requestHandler: RequestHandler };
  /** Stores such as Ceph give them out themselves. */
  readonly store: { readonly requestHandler: RequestHandler; readonly endpoint?: string };
}

/** Who we are for the store: the keys of the configuration, else what Amazon's tools would find; then the role, where one is to be assumed. */
export function s3Credentials(options: S3StorageOptions, { region, amazon, store }: TokenClients): Credentials {
  const regional = region === undefined ? {} : { region };
  const own = staticKeys(options) ?? fromNodeProviderChain({ clientConfig: { ...regional, ...amazon } });
  const { role_arn, role_external_id } = options;
  if (!role_arn) return own;
  return fromTemporaryCredentials({
    masterCredentials: own,
    params: { RoleArn: role_arn, RoleSessionName: 'pghoard', ...(role_external_id && { ExternalId: role_external_id }) },
    clientConfig: { ...regional, ...(process.env['AWS_ENDPOINT_URL_STS'] ? amazon : store) },
  });
}

function staticKeys({ aws_access_key_id, aws_secret_access_key, aws_session_token }: S3StorageOptions) {
  if (aws_access_key_id === null || aws_secret_access_key === null) return undefined;
  return {
    accessKeyId: aws_access_key_id,
    secretAccessKey: aws_secret_access_key,
    ...(aws_session_token !== null && { sessionToken: aws_session_token }),
  };
}
