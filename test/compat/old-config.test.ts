import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';

const outOfDate = {
  global: {
    path_prefix: 'old/place',
    tar_executable: 'pghoard_gnutaremu',
    deleter_event_get_timeout: 1,
    pg_receivexlog_path: '/usr/bin/pg_receivexlog',
    stats: { host: '127.0.0.1', port: 8125, format: 'telegraf', tags: {} },
    push_gateway: { endpoint: 'http://127.0.0.1:9', job: 'pghoard' },
    transfer: { thread_count: 2, upload_retries_warning_limit: 7 },
  },
  site: {
    stream_compression: true,
    basebackup_mode: undefined,
    basebackup_thread: 1,
    pg_xlog_directory: '/var/lib/pgsql/data/pg_xlog',
    pg_version: 90_605,
    pg_data_directory_version: '9.6',
  },
};

/** Each is said about once, in words that name the key. */
const warnings = [
  'path_prefix is deprecated',
  'tar_executable has no effect',
  'deleter_event_get_timeout has no effect',
  'pg_receivexlog_path is deprecated',
  'stats is read as statsd',
  'push_gateway is read as pushgateway',
  'transfer.upload_retries_warning_limit is read as upload_retries_warning_limit',
  'backup_sites.main.stream_compression is deprecated',
  'backup_sites.main.basebackup_thread is read as backup_sites.main.basebackup_threads',
  'backup_sites.main.pg_xlog_directory has no effect',
  'backup_sites.main.pg_version is found out',
  'backup_sites.main.pg_data_directory_version is found out',
];

test('a daemon whose configuration is years old starts, and says once what is out of date in it', async () => {
  await using scratch = await makeTemporaryDirectory();
  await using daemon = await TestDaemon.start({ directory: join(scratch.path, 'daemon'), ...outOfDate });
  for (const warning of warnings) assert.equal(daemon.log.split(warning).length - 1, 1, `${warning}\n${daemon.log}`);
});
