import { S3Client } from '@aws-sdk/client-s3';
import { openHttpAgent } from '../http-agent.ts';
import { readCertificates } from '../read-certificates.ts';
import { type RequestHandler, s3Credentials } from './credentials.ts';
import { endpointOf, isOtherStore } from './endpoint.ts';
import { addOurHeaders, checkDeletions, readListPages } from './middleware.ts';
import type { S3StorageOptions } from './options.ts';

const connectTimeoutMs = 20_000;
const readTimeoutMs = 60_000;

/** A client of Amazon's SDK that makes each request once; whoever calls decides about repeating. */
export async function makeS3Client(options: S3StorageOptions): Promise<S3Client> {
  const endpoint = endpointOf(options);
  const requestHandler = await requestHandlerOf(options);
  const region = options.region || (endpoint ? 'us-east-1' : undefined);
  const client = new S3Client({
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    credentials: s3Credentials(options, {
      region,
      store: { requestHandler, ...(endpoint !== undefined && { endpoint }) },
      amazon: { requestHandler: options.host ? await requestHandlerOf({ ...options, host: null, cert_path: null }) : requestHandler },
    }),
    forcePathStyle: options.addressing_style === 'path',
    useDualstackEndpoint: options.use_dualstack_endpoint && !isOtherStore(options),
    requestHandler,
    maxAttempts: 1,
    // Stores other than Amazon's refuse, or worse: keep, the checksums that the SDK would add. We send MD5 sums, which all of them know.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    customUserAgent: [['pghoard'], ...(options.user_agent_extra ? [[options.user_agent_extra] as [string]] : [])],
  });
  addOurHeaders(client);
  readListPages(client);
  checkDeletions(client);
  return client;
}

/** Certificates of Amazon are always checked, those of another store as the options say. */
async function requestHandlerOf(options: S3StorageOptions): Promise<RequestHandler> {
  const { connect_timeout, read_timeout, cert_path, proxy_info: proxy } = options;
  const ca = cert_path === null ? undefined : await readCertificates(cert_path);
  const idleMs = read_timeout === null ? readTimeoutMs : read_timeout * 1000;
  const shared = { ca, proxy, idleMs, verifiesTls: !options.host || options.is_verify_tls || ca !== undefined };
  return {
    httpAgent: await openHttpAgent({ ...shared, secure: false }),
    httpsAgent: await openHttpAgent({ ...shared, secure: true }),
    connectionTimeout: connect_timeout === null ? connectTimeoutMs : connect_timeout * 1000,
    throwOnRequestTimeout: true,
  };
}
