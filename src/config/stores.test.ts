import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfigText } from './check.ts';
import { localStore, siteWith } from './check-support.ts';

const stores: readonly object[] = [
  localStore,
  {
    ...localStore,
    prefix: 'p',
    statsd_info: { host: 'h', port: 1, message_format: 'datadog', tags: {}, operation_map: {} },
    notifier: { notifier_type: 'http', url: 'http://n/' },
  },
  {
    storage_type: 's3',
    bucket_name: 'b',
    region: 'eu-west-1',
    aws_access_key_id: 'a',
    aws_secret_access_key: 's',
    host: 'h',
    port: '9000',
    is_secure: true,
  },
  {
    storage_type: 's3',
    bucket_name: 'b',
    encrypted: true,
    is_verify_tls: true,
    addressing_style: 'virtual',
    connect_timeout: '10',
    read_timeout: 60,
    segment_size: 1,
    min_multipart_chunk_size: 2,
  },
  {
    storage_type: 's3',
    bucket_name: 'b',
    aws_session_token: 't',
    use_dualstack_endpoint: false,
    user_agent_extra: 'x',
    proxy_info: { type: 'socks5', host: 'h', port: 1, user: 'u', pass: 'p' },
  },
  { storage_type: 'google', bucket_name: 'b', project_id: 'p', credentials: { type: 'service_account', private_key: 'x' } },
  {
    storage_type: 'azure',
    account_name: 'a',
    bucket_name: 'b',
    sas_token: 's',
    azure_cloud: 'public',
    host: 'h',
    port: 1,
    is_secure: false,
  },
  {
    storage_type: 'swift',
    user: 'u',
    key: 'k',
    auth_url: 'http://a',
    container_name: 'c',
    auth_version: '2.0',
    tenant_name: 't',
    segment_size: 5,
    region_name: 'r',
  },
  {
    storage_type: 'swift',
    user: 'u',
    key: 'k',
    auth_url: 'http://a',
    container_name: 'c',
    auth_version: 3,
    user_id: '',
    user_domain_id: '',
    user_domain_name: '',
    tenant_id: '',
    project_id: '',
    project_name: 'p',
    project_domain_id: '',
    project_domain_name: '',
    service_type: '',
    endpoint_type: '',
  },
  { storage_type: 'sftp', server: 's', port: 22, username: 'u', password: 'p' },
];

for (const store of stores) {
  test(`a store ${JSON.stringify(store).slice(0, 100)} is read`, () => {
    const object_storage = read(store);
    assert.equal(object_storage?.storage_type, (store as { storage_type: string }).storage_type);
  });
}

test('numbers as text become numbers', () => {
  const object_storage = read(stores[2]);
  assert.equal(object_storage?.storage_type === 's3' && object_storage.port, 9000);
  const swift = read(stores[7]);
  assert.equal(swift?.storage_type === 'swift' && swift.auth_version, 2);
});

function read(object_storage: unknown) {
  const config = checkConfigText('pghoard.json', Buffer.from(JSON.stringify(siteWith({ object_storage }))), true).result();
  return config.backup_sites.main?.object_storage;
}
