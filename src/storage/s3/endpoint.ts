import { isIPv6 } from 'node:net';
import type { S3StorageOptions } from './options.ts';

/** Where a store other than Amazon's answers, as far as the options say so. */
export function endpointOf({ host, port, is_secure }: S3StorageOptions): string | undefined {
  if (!host) return undefined;
  const shown = isIPv6(host) ? `[${host}]` : host;
  return `${is_secure ? 'https' : 'http'}://${shown}${port === null ? '' : `:${port}`}`;
}

/** Whether it may be another store than Amazon's own: of those we do not know what they leave out. The SDK takes an endpoint from the environment, too. */
export function isOtherStore({ host }: S3StorageOptions): boolean {
  return Boolean(host || process.env['AWS_ENDPOINT_URL_S3'] || process.env['AWS_ENDPOINT_URL']);
}
