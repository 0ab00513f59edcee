import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adviceFor, type RestoredCluster, sourceTimeZone } from './advice.ts';

const nothing: RestoredCluster = {
  dataDirectory: '/data',
  site: 'main',
  settings: { postgresqlConf: 'port = 5432\n', autoConf: '' },
  hasPostgresqlConf: true,
  outsideLinks: [],
  unknownOwner: undefined,
};
const withConf = (postgresqlConf: string, autoConf = ''): Partial<RestoredCluster> => ({ settings: { postgresqlConf, autoConf } });

const rows: [what: string, cluster: Partial<RestoredCluster>, advice: RegExp | undefined][] = [
  ['an ordinary cluster', {}, undefined],
  ['settings kept elsewhere', { hasPostgresqlConf: false }, /no postgresql\.conf.*config_file/],
  ['an archive_command', withConf("archive_mode = on\narchive_command = 'pgc --site main --xlog %f'\n"), /archive_mode = off/],
  ['an archive_command that is switched off', withConf("archive_mode = off\narchive_command = 'x'\n"), undefined],
  [
    'an archive_command switched on by ALTER SYSTEM',
    withConf("archive_command = 'x'\n", "archive_mode = 'always'\n"),
    /archive_mode = off/,
  ],
  ['a data_directory as Debian sets it', withConf("data_directory = '/var/lib/postgresql/15/main'\n"), /data_directory = \/var\/lib/],
  ['a link that leads out', { outsideLinks: [{ path: '/data/logs', target: '/var/log/pg' }] }, /\/data\/logs .* \/var\/log\/pg/],
  ['files of a user that is not here', { unknownOwner: 4711 }, /4711.*chown -R/],
];
for (const [what, cluster, advice] of rows) {
  test(`advice about ${what}: ${advice?.source ?? 'none'}`, () => {
    const given = adviceFor({ ...nothing, ...cluster });
    assert.equal(given.length, advice ? 1 : 0);
    if (advice) assert.match(given[0] ?? '', advice);
  });
}

test('the zone of the source is that of its log, else its own', () => {
  assert.equal(sourceTimeZone({ postgresqlConf: "log_timezone = 'Etc/UTC'\ntimezone = 'Asia/Tokyo'\n", autoConf: '' }), 'Etc/UTC');
  assert.equal(sourceTimeZone({ postgresqlConf: 'x = 1', autoConf: "timezone = 'Asia/Tokyo'" }), 'Asia/Tokyo');
  assert.equal(sourceTimeZone({ postgresqlConf: '', autoConf: '' }), undefined);
});
