import type { Agent } from 'node:http';
import type { TokenCredential } from '@azure/identity';
import { AnonymousCredential, BlobServiceClient, type ContainerClient, newPipeline, StorageSharedKeyCredential } from '@azure/storage-blob';
import { OperatorError } from '../../lib/errors.ts';
import { openHttpAgent } from '../http-agent.ts';
import { readCertificates } from '../read-certificates.ts';
import { surroundingIdentity } from './identity.ts';
import { LastingToken } from './lasting-token.ts';
import type { AzureStorageOptions } from './options.ts';

export interface OpenContainer {
  readonly container: ContainerClient;
  readonly agent: Agent;
}

const endpoints = {
  public: 'blob.core.windows.net',
  germany: 'blob.core.cloudapi.de',
  china: 'blob.core.chinacloudapi.cn',
  usgovernment: 'blob.core.usgovcloudapi.net',
} as const;

/** The container as the options name it, with whatever proves who we are. No request is made yet. */
export async function openContainer(options: AzureStorageOptions, idleMs: number): Promise<OpenContainer> {
  const { connection_string: connection, bucket_name: name } = options;
  const secure = connection === null ? accountUrl(options).startsWith('https:') : isSecureConnection(connection);
  const ca = options.cert_path === null ? undefined : await readCertificates(options.cert_path);
  const agent = await openHttpAgent({ secure, ca, proxy: options.proxy_info, idleMs });
  // `agent` reaches the pipeline, though its type does not name it. Retries are the layers' work.
  const pipelineOptions = { agent, retryOptions: { maxTries: 1 }, userAgentOptions: { userAgentPrefix: 'pghoard' } };
  const service =
    connection === null ? await serviceByParts(options, pipelineOptions, idleMs) : serviceByConnectionString(connection, pipelineOptions);
  return { container: service.getContainerClient(name), agent };
}

/** The same without any way to log in. */
export function containerByName(options: AzureStorageOptions): ContainerClient {
  const { connection_string: connection, bucket_name: name } = options;
  const service =
    connection === null
      ? new BlobServiceClient(accountUrl(options), newPipeline(new AnonymousCredential()))
      : serviceByConnectionString(connection, {});
  return service.getContainerClient(name);
}

type PipelineOptions = NonNullable<Parameters<typeof newPipeline>[1]>;

async function serviceByParts(
  options: AzureStorageOptions,
  pipelineOptions: PipelineOptions,
  tokenMsMax: number,
): Promise<BlobServiceClient> {
  const url = accountUrl(options);
  const token = options.sas_token?.replace(/^\?/, '');
  const signedUrl = token === undefined ? url : `${url}?${token}`;
  return new BlobServiceClient(signedUrl, newPipeline(await credential(options, url, tokenMsMax), pipelineOptions));
}

async function credential(
  { account_key: key, sas_token: token, azure_cloud: cloud, ...options }: AzureStorageOptions,
  url: string,
  tokenMsMax: number,
): Promise<StorageSharedKeyCredential | AnonymousCredential | TokenCredential> {
  if (token !== null) return new AnonymousCredential();
  if (key !== null) return new StorageSharedKeyCredential(accountName(options), key);
  if (!url.startsWith('https:'))
    throw invalid('is_secure is false, and without account_key, sas_token and connection_string a token would be sent in the clear');
  return new LastingToken(await surroundingIdentity(cloud), tokenMsMax);
}

function serviceByConnectionString(connection: string, pipelineOptions: PipelineOptions): BlobServiceClient {
  try {
    return BlobServiceClient.fromConnectionString(connection, pipelineOptions);
  } catch {
    // The message of the SDK may quote it, and it holds the key.
    throw invalid('connection_string is not one that Azure’s portal would show');
  }
}

function isSecureConnection(connection: string): boolean {
  const part = (name: string) => new RegExp(`(?:^|;)\\s*${name}=([^;]*)`, 'i').exec(connection)?.[1];
  if (/UseDevelopmentStorage=true/i.test(connection)) return false;
  return !(part('BlobEndpoint') ?? `${part('DefaultEndpointsProtocol') ?? 'https'}:`).startsWith('http:');
}

/** Azure has the account in the host name; others, such as emulators, in the path. */
function accountUrl(options: AzureStorageOptions): string {
  const { host, port, is_secure: secure, azure_cloud: cloud } = options;
  if (host === null) return `https://${accountName(options)}.${endpoints[cloud ?? 'public']}`;
  return `${secure ? 'https' : 'http'}://${host}${port === null ? '' : `:${port}`}/${accountName(options)}`;
}

function accountName({ account_name: name }: Pick<AzureStorageOptions, 'account_name'>): string {
  if (name === null) throw invalid('account_name is missing');
  return name;
}

function invalid(why: string): OperatorError {
  return new OperatorError('config-invalid', `object_storage of type azure: ${why}`);
}
