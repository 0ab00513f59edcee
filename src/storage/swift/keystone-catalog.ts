import { OperatorError } from '../../lib/errors.ts';
import type { SwiftStorageOptions } from './options.ts';

/** Where a service of the cloud is reached. */
export interface Endpoint {
  readonly type: string;
  /** `public`, `internal` or `admin`. */
  readonly kind: string;
  readonly region: string | undefined;
  readonly url: string;
}

type Wanted = Pick<SwiftStorageOptions, 'service_type' | 'endpoint_type' | 'region_name'>;

/** The URL of the account, from what the login says of the cloud's services. */
export function endpointIn(endpoints: readonly Endpoint[], wanted: Wanted, storeName: string): string {
  const type = wanted.service_type ?? 'object-store';
  const kind = (wanted.endpoint_type ?? 'public').replace(/URL$/, '');
  const region = wanted.region_name ?? undefined;
  const found = endpoints.find((it) => it.type === type && it.kind === kind && (region === undefined || it.region === region));
  if (found) return found.url.replace(/\/+$/, '');
  const asked = `service_type ${type}, endpoint_type ${kind}${region === undefined ? '' : `, region_name ${region}`}`;
  const known = endpoints.filter((it) => it.type === type).map((it) => `${it.kind} in ${it.region ?? 'no region'}`);
  throw new OperatorError('store-missing', `the login for ${storeName} was accepted, but names no address for ${asked}`, {
    hint:
      known.length > 0
        ? `It names ${known.join(', ')}: set endpoint_type and region_name to one of these.`
        : 'Set project_name (or tenant_name) to a project that may use the object store, and service_type if it has another name there.',
  });
}

/** How long a token is good for, by the server's own clock. */
export function lifetimeMsOf(expires: string | undefined, now: string | undefined): number | undefined {
  const lifetimeMs = Date.parse(expires ?? '') - Date.parse(now ?? '');
  return Number.isNaN(lifetimeMs) ? undefined : lifetimeMs;
}
