import { type GoogleStorageOptions, googleStorageOptions } from './options.ts';

interface Target {
  readonly url: string;
  readonly serviceAccount: Readonly<Record<string, unknown>>;
}

/** A store in the double, as its service account unless `more` says otherwise. Used by tests only. */
export function testOptions(gcs: Target, more: Readonly<Record<string, unknown>> = {}): GoogleStorageOptions {
  const { url: api_endpoint, serviceAccount: credentials } = gcs;
  return googleStorageOptions.parse({ storage_type: 'google', bucket_name: 'backups', api_endpoint, credentials, ...more });
}
