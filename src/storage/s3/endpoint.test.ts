import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHttpProxy } from '../../../test/support/forward-proxies.ts';
import { openS3Store } from './driver.ts';
import { s3StorageOptions } from './options.ts';

const keys = { storage_type: 's3', bucket_name: 'acme-backups', aws_access_key_id: 'k', aws_secret_access_key: 's' };

/** Where requests go with these options: a proxy that lets nothing through is told. */
async function askedWith(options: Readonly<Record<string, unknown>>): Promise<string | undefined> {
  await using proxy = await startHttpProxy({ refusal: 403 });
  const proxy_info = { type: 'http', host: '127.0.0.1', port: proxy.port };
  const store = await openS3Store(s3StorageOptions.parse({ ...keys, proxy_info, ...options }));
  try {
    await assert.rejects(store.head('x'), { code: 'store-denied' });
    return proxy.targets[0];
  } finally {
    await store.close();
  }
}

for (const [what, options, expected] of [
  ['Amazon', { region: 'eu-central-1' }, 's3.dualstack.eu-central-1.amazonaws.com:443'],
  ['Amazon without IPv6', { region: 'eu-central-1', use_dualstack_endpoint: false }, 's3.eu-central-1.amazonaws.com:443'],
  [
    'Amazon, the bucket in the name of the host',
    { region: 'eu-central-1', addressing_style: 'virtual' },
    'acme-backups.s3.dualstack.eu-central-1.amazonaws.com:443',
  ],
  ['China', { region: 'cn-north-1' }, 's3.dualstack.cn-north-1.amazonaws.com.cn:443'],
  ['another store', { host: 'store.example', port: 8080 }, 'store.example:8080'],
  ['another store with TLS, its port as text', { host: 'store.example', port: '8443', is_secure: true }, 'store.example:8443'],
  ['another store at the usual port', { host: 'store.example', is_secure: true }, 'store.example:443'],
  [
    'another store, the bucket in the name of the host',
    { host: 'store.example', port: 8080, addressing_style: 'virtual' },
    'acme-backups.store.example:8080',
  ],
  ['whatever suits', { host: 'store.example', port: 8080, addressing_style: 'auto' }, 'acme-backups.store.example:8080'],
  ['whatever suits an address', { host: '10.0.0.1', port: 8080, addressing_style: 'auto' }, '10.0.0.1:8080'],
  ['an address of IPv6', { host: 'fd00::1', port: 8080 }, '[fd00::1]:8080'],
] as const)
  test(`requests go to ${what}`, async () => assert.equal(await askedWith(options), expected));
