import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { type Config, loadConfig, type SiteConfig, selectSite } from './load.ts';
import { ConfigError } from './problem.ts';

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'config-'));
});
after(() => rm(directory, { recursive: true, force: true }));

async function load(content: unknown): Promise<Config> {
  const file = join(directory, 'pghoard.json');
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return loadConfig(file);
}

async function onlySite(site: object): Promise<SiteConfig> {
  return selectSite(await load({ backup_location: '/spool', backup_sites: { main: site } }));
}

const local = { storage_type: 'local', directory: '/backups' };

test('an empty configuration has the defaults of the newest release', async () => {
  const config = await load({});
  assert.deepEqual(config.backup_sites, {});
  assert.deepEqual(config.warnings, []);
  assert.equal(config.backup_location, null);
  assert.deepEqual([config.http_address, config.http_port], ['127.0.0.1', 16_000]);
  assert.deepEqual([config.webserver_username, config.webserver_password], [null, null]);
  assert.equal(config.json_state_file_path, '/var/lib/pghoard/pghoard_state.json');
  assert.equal(config.maintenance_mode_file, '/var/lib/pghoard/maintenance_mode_file');
  assert.equal(config.alert_file_dir, process.cwd());
  assert.equal(config.log_level, 'INFO');
  assert.deepEqual([config.syslog, config.syslog_address, config.syslog_facility], [false, '/dev/log', 'local2']);
  assert.equal(config.upload_retries_warning_limit, 3);
  assert.equal(config.hash_algorithm, 'sha1');
  assert.deepEqual(config.compression, { algorithm: 'snappy', level: 0, thread_count: availableParallelism() });
  assert.equal(config.transfer.thread_count, Math.min(availableParallelism() + 3, 20));
  assert.equal(config.restore_prefetch, null);
  assert.equal(config.restore_process_count, Math.min(availableParallelism() + 1, 20));
  assert.deepEqual([config.statsd, config.prometheus, config.pushgateway], [null, null, null]);
  assert.deepEqual([config.graceful_shutdown_compression_timeout, config.graceful_shutdown_upload_timeout], [180, 300]);
});

test('a site has the defaults of the newest release', async () => {
  const site = await onlySite({ object_storage: local });
  assert.deepEqual(site, {
    name: 'main',
    active: true,
    nodes: [],
    pg_data_directory: null,
    pg_bin_directory: null,
    pg_basebackup_path: null,
    pg_receivexlog_path: null,
    pg_xlog_directory: null,
    active_backup_mode: 'pg_receivexlog',
    wal_durability: 'local',
    wal_index: true,
    wal_index_backfill_bytes_per_hour: 2 * 1024 ** 3,
    wal_listing_seconds: 300,
    verify: { bytes_per_day: 0, again_after_days: 30 },
    pg_receivexlog: { disk_space_check_interval: 10, min_disk_free_bytes: null, resume_multiplier: 1.5 },
    basebackup_after_wal_gap: true,
    lease_seconds: 60,
    alerts: null,
    heartbeat_url: null,
    heartbeat_fail_url: null,
    heartbeat_interval_seconds: 60,
    heartbeat_max_age_seconds: 3600,
    basebackup_mode: 'basic',
    basebackup_format: 'pghoard-bb-v2',
    basebackup_interval_hours: 24,
    basebackup_hour: null,
    basebackup_minute: null,
    basebackup_time_zone: 'UTC',
    basebackup_from: 'prefer_standby',
    basebackup_standby_lag_seconds_max: null,
    basebackup_chunk_size: 2_147_483_648,
    basebackup_chunks_in_progress: 5,
    basebackup_bytes_per_second_max: null,
    basebackup_threads: null,
    basebackup_compression_threads: 0,
    basebackup_delta_mode_max_retries: 10,
    basebackup_delta_mode_min_delta_file_size: 10_485_760,
    basebackup_delta_mode_chunk_size: 524_288_000,
    basebackup_verify_checksums: true,
    stream_compression: null,
    basebackup_count: 2,
    basebackup_count_min: 2,
    basebackup_age_days_max: null,
    recovery_window_days: null,
    keep: null,
    restore_drill: null,
    retention_confirmation: true,
    prefix: 'main',
    moved_from: [],
    encryption_key_id: null,
    encryption_keys: null,
    object_storage: { storage_type: 'local', directory: '/backups', prefix: null, statsd_info: null, notifier: null },
  });
});

test('a count that nobody wrote does not delete where something else says what is kept', async () => {
  const count = async (given: object) => (await onlySite({ object_storage: local, ...given })).basebackup_count;
  assert.equal(await count({ recovery_window_days: 7 }), null);
  assert.equal(await count({ keep: { monthly: 12 } }), null);
  assert.equal(await count({ recovery_window_days: 7, basebackup_count: 3 }), 3);
  assert.equal(await count({ basebackup_count: null }), null);
  assert.equal(await count({ basebackup_age_days_max: 7 }), 2);
});

test('a site without object_storage keeps its backups in backup_location, with a warning', async () => {
  const config = await load({ backup_location: '/spool', backup_sites: { main: {} } });
  assert.deepEqual(config.backup_sites.main?.object_storage, {
    storage_type: 'local',
    directory: '/spool/object_storage',
    prefix: null,
    statsd_info: null,
    notifier: null,
  });
  assert.deepEqual(config.warnings, [
    'backup_sites.main.object_storage is missing: backups are kept in /spool/object_storage, on the same disk as what waits for its upload',
  ]);
});

test('null is taken where it means something', async () => {
  const site = await onlySite({
    object_storage: local,
    basebackup_count: null,
    basebackup_interval_hours: null,
    encryption_key_id: null,
    encryption_keys: null,
  });
  assert.deepEqual([site.basebackup_count, site.basebackup_interval_hours], [null, null]);
});

test('an hour without a minute means the full hour', async () => {
  assert.equal((await onlySite({ object_storage: local, basebackup_hour: 3 })).basebackup_minute, 0);
});

const prefixes: readonly (readonly [global: object, site: object, prefix: string])[] = [
  [{}, {}, 'main'],
  [{ path_prefix: '' }, {}, 'main'],
  [{ path_prefix: '/cluster//a/' }, {}, 'cluster/a/main'],
  [{ path_prefix: 'ignored' }, { prefix: 'own/place' }, 'own/place'],
  [{}, { prefix: '/slashes//collapse/' }, 'slashes/collapse'],
  [{}, { prefix: '' }, ''],
];

for (const [global, site, prefix] of prefixes) {
  test(`the prefix of ${JSON.stringify(site)} under ${JSON.stringify(global)} is "${prefix}"`, async () => {
    const config = await load({ ...global, backup_sites: { main: { object_storage: local, ...site } } });
    assert.equal(selectSite(config).prefix, prefix);
  });
}

test('relative paths are taken from the working directory', async () => {
  const config = await load({
    backup_location: './spool',
    backup_sites: { main: { object_storage: { ...local, directory: 'store' }, pg_data_directory: 'data' } },
  });
  const site = selectSite(config);
  assert.deepEqual(
    [config.backup_location, config.alert_file_dir, site.pg_data_directory, site.object_storage],
    [
      resolve('spool'),
      resolve('spool'),
      resolve('data'),
      { ...local, directory: resolve('store'), prefix: null, statsd_info: null, notifier: null },
    ],
  );
});

const levels = { debug: 'DEBUG', Error: 'ERROR', WARN: 'WARNING', FATAL: 'CRITICAL', NOTSET: 'DEBUG' };

for (const [text, level] of Object.entries(levels)) {
  test(`the level ${text} is ${level}`, async () => assert.equal((await load({ log_level: text })).log_level, level));
}

test('a bare name of a program is left to PATH', async () => {
  const site = await onlySite({ object_storage: local, pg_basebackup_path: 'pg_basebackup', pg_receivexlog_path: 'bin/pg_receivewal' });
  assert.deepEqual([site.pg_basebackup_path, site.pg_receivexlog_path], ['pg_basebackup', resolve('bin/pg_receivewal')]);
});

test('an empty address listens everywhere', async () => {
  assert.equal((await load({ http_address: '' })).http_address, '0.0.0.0');
});

test('metrics are on where they are configured, off where a null says so', async () => {
  const config = await load({ statsd: { tags: { a: 1, b: null } }, prometheus: {}, pushgateway: { endpoint: 'http://push' } });
  assert.deepEqual(config.statsd, { host: '127.0.0.1', port: 8125, format: 'telegraf', tags: { a: '1', b: null } });
  assert.deepEqual(config.prometheus, { tags: {} });
  assert.deepEqual(config.pushgateway, { endpoint: 'http://push', job: 'pghoard', instance: null, tags: {} });
  const off = await load({ statsd: { host: null }, pushgateway: { endpoint: '' } });
  assert.deepEqual([off.statsd, off.pushgateway], [null, null]);
});

test('a file that is not there, or is a directory, is told as such', async () => {
  await assert.rejects(loadConfig(join(directory, 'none.json')), (error) => isOperatorError(error, 'config-missing'));
  await assert.rejects(loadConfig(directory), (error) => isOperatorError(error, 'config-unreadable'));
});

const inactive = (object_storage: object) => ({ active: false, object_storage });

test('files that a store needs are problems for the daemon, warnings for tools', async () => {
  const garbage = join(directory, 'garbage');
  await writeFile(garbage, 'garbage');
  const content = {
    backup_location: '/spool',
    backup_sites: {
      a: inactive({ storage_type: 'sftp', server: 's', username: 'u', private_key: join(directory, 'none') }),
      b: inactive({ storage_type: 'sftp', server: 's', username: 'u', private_key: garbage }),
      c: inactive({ storage_type: 'google', bucket_name: 'b', credential_file: garbage }),
      e: inactive({ storage_type: 'sftp', server: 's', username: 'u', password: 'p', known_hosts: join(directory, 'none') }),
      d: inactive({ storage_type: 's3', bucket_name: 'b', cert_path: garbage }),
    },
  };
  const expected = [
    ['backup_sites.a.object_storage.private_key', `file ${join(directory, 'none')} cannot be read (ENOENT)`],
    ['backup_sites.b.object_storage.private_key', `file ${garbage} holds no private key`],
    ['backup_sites.c.object_storage.credential_file', `file ${garbage} is not JSON`],
    ['backup_sites.e.object_storage.known_hosts', `file ${join(directory, 'none')} cannot be read (ENOENT)`],
    ['backup_sites.d.object_storage.cert_path', `file ${garbage} has no certificate in PEM format`],
  ];
  assert.deepEqual(
    (await load(content)).warnings,
    expected.map(([path, why]) => `${path} ${why}`),
  );
  await assert.rejects(loadConfig(join(directory, 'pghoard.json'), { forDaemon: true }), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.deepEqual(
      error.problems.map(({ path, message }) => [path, message]),
      expected,
    );
    return true;
  });
});

test('a daemon may go on without the stores of some sites, whose files cannot be used', async () => {
  const unusable = inactive({ storage_type: 'sftp', server: 's', username: 'u', private_key: join(directory, 'none') });
  await load({ backup_location: '/spool', backup_sites: { a: unusable, b: { ...unusable, prefix: 'other' } } });
  const path = join(directory, 'pghoard.json');
  const why = `file ${join(directory, 'none')} cannot be read (ENOENT)`;
  const { warnings } = await loadConfig(path, { forDaemon: true, storeMayBeUnusable: () => true });
  assert.deepEqual(
    warnings,
    ['a', 'b'].map((site) => `backup_sites.${site}.object_storage.private_key ${why}`),
  );
  await assert.rejects(loadConfig(path, { forDaemon: true, storeMayBeUnusable: ({ name }) => name === 'a' }), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.deepEqual(
      error.problems.map((problem) => problem.path),
      ['backup_sites.b.object_storage.private_key'],
    );
    return true;
  });
});

test('the site is the named one, or the only one', async () => {
  const none = await load({});
  const one = await load({ backup_sites: { a: { object_storage: local } } });
  const two = await load({ backup_sites: { a: { object_storage: local }, b: { object_storage: local } } });
  assert.equal(selectSite(one).name, 'a');
  assert.equal(selectSite(two, 'b').name, 'b');
  assert.match(
    refusal(() => selectSite(none)),
    /^site-missing: no backup sites defined in configuration/,
  );
  assert.match(
    refusal(() => selectSite(two)),
    /^site-not-given: backup site not set and configuration file defines 2 sites \| .*"a", "b"/,
  );
  assert.match(
    refusal(() => selectSite(one, 'x')),
    /^site-unknown: site "x" not defined in configuration file .* \| Defined: "a"\./,
  );
  assert.match(
    refusal(() => selectSite(one, 'toString')),
    /^site-unknown/,
  );
});

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isOperatorError(error)) return `${error.code}: ${error.message} | ${error.hint ?? ''}`;
  }
  return 'nothing';
}

const google = { storage_type: 'google', bucket_name: 'b' };
const swift = { storage_type: 'swift', user: 't:u', key: 'k', auth_url: 'http://a', container_name: 'c' };
const s3 = { storage_type: 's3', bucket_name: 'b' };

for (const [store, storePrefix, sitePrefix, standsBefore] of [
  [google, undefined, 'site', ''],
  [google, undefined, '/abs/site', '/'],
  [google, 'pre', '/abs/site', 'pre//'],
  [google, '/pre//', 'site', '/pre/'],
  [google, '/', 'site', '/'],
  [swift, undefined, '/abs/site', '/'],
  [swift, '/pre/', '/abs/site', 'pre//'],
  [swift, '/', 'site', ''],
  [s3, undefined, '/abs/site', null],
  [s3, 'pre', '/abs/site', 'pre'],
] as const) {
  test(`${store.storage_type}: store prefix ${storePrefix}, site prefix ${sitePrefix}: ${standsBefore} stands before the keys`, async () => {
    const object_storage = { ...store, ...(storePrefix !== undefined && { prefix: storePrefix }) };
    const site = await onlySite({ object_storage, prefix: sitePrefix });
    assert.equal(site.object_storage.prefix, standsBefore);
    assert.equal(site.prefix, sitePrefix.replace(/^\//, ''));
  });
}
