import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  type AuthClient,
  AwsClient,
  type AwsClientOptions,
  ExternalAccountAuthorizedUserClient,
  type ExternalAccountAuthorizedUserClientOptions,
  GoogleAuth,
  IdentityPoolClient,
  type IdentityPoolClientOptions,
  Impersonated,
  OAuth2Client,
  type OAuth2ClientOptions,
  PluggableAuthClient,
  type PluggableAuthClientOptions,
  UserRefreshClient,
} from 'google-auth-library';
import { OperatorError } from '../../lib/errors.ts';
import type { GoogleStorageOptions } from './options.ts';
import { ServiceAccountClient, type ServiceAccountKey } from './service-account.ts';

/** What tokens are asked for: reading and writing objects, and no more where the credentials allow more. */
const storageScope = 'https://www.googleapis.com/auth/devstorage.read_write';
/** What becoming somebody else takes. */
const impersonationScope = 'https://www.googleapis.com/auth/cloud-platform';

type Json = Readonly<Record<string, unknown>>;

/** How requests for tokens are sent. */
export type ClientOptions = Pick<OAuth2ClientOptions, 'transporterOptions'>;

export type CredentialOptions = Pick<GoogleStorageOptions, 'credential_file' | 'credentials'>;

const defaultTokenUri = 'https://oauth2.googleapis.com/token';

/**
 * Whoever we are to Google: the configured credentials, else the application's default ones (GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, the
 * metadata server). Files are read anew each time.
 */
export async function openAuthClient(
  { credential_file, credentials }: CredentialOptions,
  environment: NodeJS.ProcessEnv,
  options: ClientOptions,
): Promise<AuthClient> {
  if (credentials !== null) return clientOf(credentials, storageScope, options, '`credentials`');
  const file = credential_file ?? environment['GOOGLE_APPLICATION_CREDENTIALS'];
  if (file) return clientOf(await readJson(file), storageScope, options, file);
  // Without a name the library would start gcloud to find the project, which nobody needs here.
  return new GoogleAuth({ scopes: storageScope, projectId: 'not-asked-for', clientOptions: options }).getClient();
}

function clientOf(json: Json, scope: string, options: ClientOptions, where: string): AuthClient {
  const text = (key: string) => textOf(json, key, where);
  switch (json['type']) {
    case 'service_account':
      return new ServiceAccountClient({ ...serviceAccountDefaults, ...serviceAccountKey(json, where) }, scope, options);
    case 'authorized_user':
      return new UserRefreshClient({
        ...options,
        clientId: text('client_id'),
        clientSecret: text('client_secret'),
        refreshToken: text('refresh_token'),
        endpoints: { oauth2TokenUrl: optionalTextOf(json, 'token_uri') ?? defaultTokenUri },
        ...quotaProjectOf(json),
      });
    case 'access_token':
      return withToken(optionalTextOf(json, 'token') ?? text('access_token'), options);
    case 'external_account':
      return externalClientOf(json, options);
    case 'external_account_authorized_user':
      return new ExternalAccountAuthorizedUserClient({ ...json, ...options } as unknown as ExternalAccountAuthorizedUserClientOptions);
    case 'impersonated_service_account':
      return impersonatedClientOf(json, options, where);
    default:
      throw unusable(where, `its type is ${JSON.stringify(json['type'])}`);
  }
}

const serviceAccountDefaults = { token_uri: defaultTokenUri };

function serviceAccountKey(json: Json, where: string): ServiceAccountKey {
  textOf(json, 'client_email', where);
  const privateKey = textOf(json, 'private_key', where);
  try {
    createPrivateKey(privateKey);
  } catch {
    throw unusable(where, 'its private_key is not one');
  }
  return json as unknown as ServiceAccountKey;
}

/** A token that somebody else renews; it is used as long as it is accepted. */
function withToken(token: string, options: ClientOptions): AuthClient {
  const client = new OAuth2Client(options);
  client.setCredentials({ access_token: token });
  return client;
}

/** Workload identity federation: a token of somebody else's, from a file, an address, a program or AWS, is exchanged for one of Google's. */
function externalClientOf(json: Json, options: ClientOptions): AuthClient {
  const source = json['credential_source'] as Json | undefined;
  const client = source?.['environment_id']
    ? new AwsClient({ ...json, ...options } as unknown as AwsClientOptions)
    : source?.['executable']
      ? new PluggableAuthClient({ ...json, ...options } as unknown as PluggableAuthClientOptions)
      : new IdentityPoolClient({ ...json, ...options } as unknown as IdentityPoolClientOptions);
  client.scopes = [storageScope];
  return client;
}

function impersonatedClientOf(json: Json, options: ClientOptions, where: string): AuthClient {
  const target = /([^/]+):generateAccessToken$/.exec(textOf(json, 'service_account_impersonation_url', where))?.[1];
  if (target === undefined) throw unusable(where, 'service_account_impersonation_url does not name a service account');
  return new Impersonated({
    ...options,
    sourceClient: clientOf((json['source_credentials'] ?? {}) as Json, impersonationScope, options, where),
    targetPrincipal: target,
    targetScopes: [storageScope],
    delegates: (json['delegates'] ?? []) as string[],
    ...quotaProjectOf(json),
  });
}

function quotaProjectOf(json: Json): { quotaProjectId?: string } {
  const quotaProjectId = optionalTextOf(json, 'quota_project_id');
  return quotaProjectId === undefined ? {} : { quotaProjectId };
}

async function readJson(file: string): Promise<Json> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Json;
  } catch (error) {
    throw unusable(file, 'it cannot be read as JSON', error);
  }
}

function optionalTextOf(json: Json, key: string): string | undefined {
  const value = json[key];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function textOf(json: Json, key: string, where: string): string {
  const value = optionalTextOf(json, key);
  if (value === undefined) throw unusable(where, `it has no ${key}`);
  return value;
}

function unusable(where: string, why: string, cause?: unknown): OperatorError {
  // A parser's message may show what it read.
  const shown = cause instanceof SyntaxError ? undefined : cause;
  return new OperatorError('store-denied', `the Google credentials in ${where} cannot be used: ${why}`, {
    cause: shown,
    hint: 'Have a new key made for the service account, or remove credential_file and credentials to use the identity of the machine.',
  });
}
