import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { checkConfigText } from './check.ts';
import { localStore } from './check-support.ts';
import type { Config, SiteConfig } from './config.ts';

const load = (content: object): Config => checkConfigText('pghoard.json', Buffer.from(JSON.stringify(content)), false).result();
const onlySite = (site: object): SiteConfig | undefined =>
  load({ backup_location: '/spool', backup_sites: { main: site } }).backup_sites.main;

test('a configuration of the original loads unchanged, and says what is out of date in it', () => {
  const { publicKey, privateKey } = rsaPair(1024);
  const config = load({
    backup_location: './metadata',
    path_prefix: 'old',
    alert_file_dir: '/alerts',
    json_state_file_path: '/tmp/pghoard_state.json',
    tar_executable: 'pghoard_gnutaremu',
    deleter_event_get_timeout: 1,
    push_gateway: { endpoint: 'http://push' },
    transfer: { thread_count: 2, upload_retries_warning_limit: 7 },
    backup_sites: {
      first: {
        nodes: [{ host: '127.0.0.1', password: 'secret', port: 5432, user: 'backup' }],
        stream_compression: true,
        basebackup_thread: 3,
        pg_xlog_directory: '/var/lib/pgsql/data/pg_xlog',
        pg_version: 90_605,
        pg_receivexlog_version: 90_605,
        encryption_key_id: 'k',
        encryption_keys: { k: { public: publicKey, private: privateKey } },
        object_storage: { storage_type: 'azure', container_name: 'c', account_name: 'a', account_key: 'k' },
      },
    },
  });
  const { first } = config.backup_sites;
  assert.equal(config.upload_retries_warning_limit, 7);
  assert.equal(config.pushgateway?.endpoint, 'http://push');
  assert.deepEqual([first?.basebackup_mode, first?.basebackup_threads, first?.prefix], ['pipe', 3, 'old/first']);
  assert.equal(first?.object_storage.storage_type === 'azure' && first.object_storage.bucket_name, 'c');
  assert.deepEqual(config.warnings.toSorted(), [
    'backup_sites.first.basebackup_thread is read as backup_sites.first.basebackup_threads; write it so',
    'backup_sites.first.object_storage.container_name is read as backup_sites.first.object_storage.bucket_name; write it so',
    'backup_sites.first.pg_receivexlog_version is found out by pghoard itself and ignored here',
    'backup_sites.first.pg_version is found out by pghoard itself and ignored here',
    'backup_sites.first.pg_xlog_directory has no effect: it is found through pg_data_directory',
    'backup_sites.first.stream_compression is deprecated, use basebackup_mode "pipe"',
    'deleter_event_get_timeout has no effect: nothing polls any more',
    'path_prefix is deprecated, use prefix of the site',
    'push_gateway is read as pushgateway; write it so',
    'tar_executable has no effect: pghoard unpacks base backups itself',
    'transfer.upload_retries_warning_limit is read as upload_retries_warning_limit; write it so',
  ]);
});

test('of an old and a new spelling the new one counts', () => {
  const config = load({ upload_retries_warning_limit: 1, transfer: { upload_retries_warning_limit: 2 } });
  assert.equal(config.upload_retries_warning_limit, 1);
  assert.deepEqual(config.warnings, ['transfer.upload_retries_warning_limit is ignored: upload_retries_warning_limit is given too']);
});

test('stream_compression does not change a basebackup_mode', () => {
  const site = onlySite({ object_storage: localStore, stream_compression: true, basebackup_mode: 'local-tar' });
  assert.equal(site?.basebackup_mode, 'local-tar');
});

function rsaPair(modulusLength: number): { publicKey: string; privateKey: string } {
  return generateKeyPairSync('rsa', {
    modulusLength,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}
