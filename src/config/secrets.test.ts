import assert from 'node:assert/strict';
import { test } from 'node:test';
import { secretsIn } from './secrets.ts';

const cases: readonly { readonly of: string; readonly config: object; readonly secrets: readonly string[] }[] = [
  {
    of: 'a server',
    config: { nodes: [{ conninfo: { user: 'backup', password: 'a', sslpassword: 'b', sslkey: '/k' } }] },
    secrets: ['a', 'b'],
  },
  { of: 'the HTTP API', config: { webserver_username: 'ann', webserver_password: 'a' }, secrets: ['a'] },
  { of: 'an encryption key', config: { encryption_key_id: 'k', encryption_keys: { k: { public: 'p', private: 'a' } } }, secrets: ['a'] },
  {
    of: 'S3',
    config: { aws_access_key_id: 'i', aws_secret_access_key: 'a', aws_session_token: 'b', sse_kms_key_id: 'j' },
    secrets: ['a', 'b'],
  },
  {
    of: 'Google',
    config: { credentials: { private_key_id: 'i', private_key: 'a', token_uri: 'u', client_secret: 'b', refresh_token: 'c' } },
    secrets: ['a', 'b', 'c'],
  },
  { of: 'Azure', config: { account_name: 'n', account_key: 'a', sas_token: 'b', connection_string: 'c' }, secrets: ['a', 'b', 'c'] },
  { of: 'Swift', config: { user: 'u', key: 'a', application_credential_secret: 'b' }, secrets: ['a', 'b'] },
  { of: 'SFTP', config: { private_key: '/home/me/.ssh/id', password: 'a', private_key_passphrase: 'b' }, secrets: ['a', 'b'] },
  { of: 'a proxy', config: { proxy_info: { user: 'u', pass: 'a' } }, secrets: ['a'] },
  { of: 'a URL', config: { endpoint: 'https://me:a%2Fb@host/path' }, secrets: ['a%2Fb', 'a/b'] },
  {
    of: 'those who are told',
    config: { webhook: { url: 'https://hooks/T0/B0?k=1', headers: { 'X-Key': 'a' }, secret_file: '/s' }, heartbeat_url: 'https://beat/x' },
    secrets: ['/T0/B0?k=1', '/x', 'a', 'https://beat/x', 'https://hooks/T0/B0?k=1'],
  },
  { of: 'a password that is no secret', config: { user: 'postgres', password: 'postgres' }, secrets: [] },
  { of: 'nothing', config: { a: null, b: 1, c: [true, ['x']] }, secrets: [] },
];

for (const { of, config, secrets } of cases) {
  test(`what is secret in the settings of ${of}`, () => assert.deepEqual([...secretsIn(config)].toSorted(), secrets));
}
