import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOurs } from '../../test/support/commands.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { clusterMembers, TestBackups } from '../../test/support/test-backups.ts';
import { parseBasebackupEntry } from '../catalog/basebackup-entry.ts';
import { basebackupTable } from './basebackup-table.ts';
import { progressLine, statusText } from './restore-progress.ts';

const listing = {
  key: 'site/basebackup/2026-11-22_10-00_0',
  size: 3_000_000,
  lastModified: new Date(0),
  metadata: {
    'start-time': '2026-11-22T12:00:00.5+02:00',
    'start-wal-segment': '000000010000000000000003',
    'original-file-size': '8696320',
    host: "o'hare",
  },
};

test('the list of base backups has the columns that scripts know', () => {
  const chunked = { ...listing, key: 'site/basebackup/b.00000000.pghoard', metadata: { ...listing.metadata, 'original-file-size': '0' } };
  const text = basebackupTable("Available 'site' basebackups:", [chunked, listing].map(parseBasebackupEntry), { verbose: false });
  assert.deepEqual(text.split('\n'), [
    "Available 'site' basebackups: ",
    '',
    'Basebackup                                Backup size    Orig size  Start time          ',
    '----------------------------------------  -----------  -----------  --------------------',
    'site/basebackup/2026-11-22_10-00_0               2 MB         8 MB  2026-11-22T10:00:00Z',
    'site/basebackup/b.00000000.pghoard               2 MB          n/a  2026-11-22T10:00:00Z',
    '',
  ]);
});

test('the verbose list shows metadata as Python prints it, without the start time', () => {
  const text = basebackupTable('x', [parseBasebackupEntry(listing)], { verbose: true });
  assert.match(
    text,
    /^ {4}metadata: \{'start-wal-segment': '000000010000000000000003', 'original-file-size': '8696320', 'host': "o'hare"\}$/m,
  );
});

test('progress is told in bytes, rate and remaining time, and to programs as a fraction', () => {
  const report = { bytes: 52_428_800, totalBytes: 104_857_600, bytesPerSecond: 1_048_576, secondsRemaining: 3650 };
  assert.equal(progressLine(report), 'Download progress: 50.00% (50.0 / 100.0 MiB), 1.0 MiB/s, 1:00:50 left');
  assert.deepEqual(JSON.parse(statusText(report)), { downloaded_bytes: 52_428_800, progress_percent: 0.5, total_bytes: 104_857_600 });
});

test('lists and restores from the command line', async () => {
  await using scratch = await makeTemporaryDirectory();
  const backups = await TestBackups.open(scratch.path);
  const [key] = await backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
  const config = await backups.writeConfig();
  const list = await runOurs('restore', ['list-basebackups', '--config', config]);
  assert.deepEqual([list.code, list.stderr], [0, '']);
  assert.match(list.stdout, new RegExp(`^Available 'main' basebackups: \n\nBasebackup .*\n---.*\n${key} `));

  const target = join(scratch.path, 'data');
  const status = join(scratch.path, 'status.json');
  const flags = ['--config', config, '--site', 'main', '--target-dir', target, '--restore-to-primary'];
  const restored = await runOurs('restore', ['--status-output-file', status, 'get-basebackup', ...flags]);
  assert.deepEqual([restored.code, restored.stderr], [0, '']);
  assert.match(restored.stdout, /Found 1 applicable basebackup \n/);
  assert.match(restored.stdout, new RegExp(`Selecting '${key}' for restore`));
  assert.match(restored.stdout, /Download progress: 100\.00% .*\nBasebackup restoration complete\.\n/);
  const { progress_percent, downloaded_bytes, total_bytes } = JSON.parse(await readFile(status, 'utf8')) as Record<string, number>;
  assert.deepEqual([progress_percent, downloaded_bytes], [1, total_bytes]);
  const autoConf = await readFile(join(target, 'postgresql.auto.conf'), 'utf8');
  const program = /^restore_command = '(\S+) /m.exec(autoConf)?.[1] ?? '';
  assert.ok(program.endsWith('/bin/pghoard_postgres_command') && existsSync(program), program);

  const again = await runOurs('restore', ['get-basebackup', ...flags]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /^pghoard_restore: FATAL: target-not-empty: .*data/);
  assert.match(again.stderr, /hint: .*--overwrite/);
});

test('a target time is echoed in several zones; a wrong one ends with exit code 1 before anything is read', async () => {
  await using scratch = await makeTemporaryDirectory();
  const backups = await TestBackups.open(scratch.path);
  const members = clusterMembers('pgdata/').map((member) =>
    member.path.endsWith('postgresql.conf')
      ? { ...member, content: "log_timezone = 'Asia/Tokyo'\narchive_mode = on\narchive_command = 'x --site main'\n" }
      : member,
  );
  await backups.addChunked({ chunks: [members] });
  const flags = ['get-basebackup', '--config', await backups.writeConfig(), '--target-dir', join(scratch.path, 'data')];
  const env = { ...process.env, TZ: 'America/New_York' };
  const { stdout, code } = await runOurs('restore', [...flags, '--recovery-target-time', '2026-11-22T10:30:00Z'], { env });
  assert.equal(code, 0);
  assert.match(stdout, /2026-11-22 10:30:00 UTC\n {2}2026-11-22 05:30:00-05:00 in the zone of this machine/);
  assert.match(stdout, /2026-11-22 19:30:00\+09:00 in the zone of the source \(Asia\/Tokyo\)/);
  assert.match(stdout, /Note: The source's archive_command came along/);
  const bare = await runOurs('restore', [...flags, '--recovery-target-time', '2026-11-22 10:30:00'], { env });
  assert.equal(bare.code, 1);
  assert.match(bare.stderr, /hint: Write '2026-11-22 10:30:00Z' for UTC, or '2026-11-22 10:30:00-05:00'/);
});

test('lists over HTTP with the credentials of the configuration, and says what is wrong without', async () => {
  await using scratch = await makeTemporaryDirectory();
  const backups = await TestBackups.open(scratch.path);
  const server = createServer((request, response) => {
    const allowed = request.headers.authorization === `Basic ${Buffer.from('me:secret').toString('base64')}`;
    if (!allowed) return void response.writeHead(401).end();
    if (request.url !== '/main/basebackup') return void response.writeHead(404).end('Site not found');
    const { key: name, lastModified: last_modified, size, metadata } = listing;
    response.end(JSON.stringify({ basebackups: [{ name, size, last_modified, metadata }, { name: 'site/basebackup/garbage' }] }));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const port = String((server.address() as AddressInfo).port);
  const list = (...more: string[]) => runOurs('restore', ['list-basebackups-http', '--port', port, ...more]);
  try {
    const config = await backups.writeConfig({}, { webserver_username: 'me', webserver_password: 'secret' });
    const good = await list('--site', 'main', '--config', config);
    assert.equal(good.code, 0);
    assert.match(good.stdout, /^site\/basebackup\/2026-11-22_10-00_0 +2 MB +8 MB {2}2026-11-22T10:00:00Z$/m);
    assert.match(good.stderr, /garbage is left out/);
    assert.equal((await list('--site', 'main', '--username', 'me', '--password', 'secret')).code, 0);
    const refused = await list('--site', 'main');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /FATAL: daemon-refused.*credentials/);
    const unknown = await list('--site', 'other', '--config', config);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /404: Site not found/);
  } finally {
    server.close();
  }
  const down = await list('--site', 'main');
  assert.equal(down.code, 1);
  assert.match(down.stderr, /FATAL: daemon-unreachable/);
});
