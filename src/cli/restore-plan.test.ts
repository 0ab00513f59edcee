import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOurs } from '../../test/support/commands.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { clusterMembers, TestBackups } from '../../test/support/test-backups.ts';
import { planRefusalDocument, restorePlanDocument } from '../restore/plan/restore-plan-document.ts';

test('a plan tells of each object whether it is there, and touches nothing', async () => {
  await using scratch = await makeTemporaryDirectory();
  const backups = await TestBackups.open(scratch.path);
  await backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
  const config = await backups.writeConfig();
  const target = join(scratch.path, 'data');
  const flags = ['--config', config, '--site', 'main', '--target-dir', target, '--restore-to-primary'];
  const before = await readdir(scratch.path, { recursive: true });
  const told = await runOurs('restore', ['plan', ...flags, '--json']);
  const dry = await runOurs('restore', ['get-basebackup', ...flags, '--dry-run']);
  assert.deepEqual([await readdir(scratch.path, { recursive: true }), existsSync(target)], [before, false]);
  const refusal = planRefusalDocument.safeParse(JSON.parse(told.stdout));
  assert.deepEqual([told.code, refusal.data?.code, told.stderr], [1, 'target-not-covered', ''], 'its WAL is not stored');
  assert.equal(dry.code, 1);
  assert.match(dry.stderr, /^pghoard_restore: FATAL: target-not-covered: the target cannot be restored: no WAL of the site is stored/);
});

test('a base backup that carries its own WAL is planned without any, from the store alone', async () => {
  await using scratch = await makeTemporaryDirectory();
  const backups = await TestBackups.open(scratch.path);
  const key = await backups.addSingle({ members: clusterMembers(''), metadata: { 'active-backup-mode': 'standalone_hot_backup' } });
  const config = await backups.writeConfig();
  const flags = ['--config', config, '--target-dir', join(scratch.path, "it's here"), '--restore-to-primary'];
  const told = await runOurs('restore', ['plan', ...flags, '--json']);
  assert.deepEqual([told.code, told.stderr], [0, '']);
  const plan = restorePlanDocument.parse(JSON.parse(told.stdout));
  assert.deepEqual([plan.basebackup.key, plan.wal.segments, plan.objects.is_complete, plan.timeline.target], [key, 0, true, 1]);
  assert.match(
    plan.command,
    /^pghoard_restore get-basebackup --config \S+ --site main --basebackup \S+ --target-dir '.*it'\\''s here' --restore-to-primary$/,
  );
  const { stdout } = await runOurs('restore', ['plan', ...flags]);
  assert.match(stdout, /^Restore plan of site main\n {2}target +the end of the WAL/);
  assert.match(stdout, /\n {2}objects +all 1 are there\n/);
  assert(stdout.split('\n').length < 50, 'one screen');
});

test('each tablespace has its share of the room, as far as the chunks tell it', async () => {
  await using scratch = await makeTemporaryDirectory();
  const backups = await TestBackups.open(scratch.path);
  const file = (path: string, bytes: number) => ({ path, content: 'x'.repeat(bytes) });
  const inTablespace = file('tablespaces/fast/PG_15_1/5/1', 40_000);
  await backups.addChunked({
    tablespaces: { fast: { oid: 16_384, path: '/nowhere/fast' }, slow: { oid: 16_385, path: '/nowhere/slow' } },
    chunks: [clusterMembers('pgdata/'), [inTablespace], [file('tablespaces/slow/PG_15_1/5/2', 10_000), file('pgdata/base/5/3', 1000)]],
    metadata: { 'active-backup-mode': 'standalone_hot_backup', 'total-size-plain': '100000' },
  });
  const config = await backups.writeConfig();
  const told = await runOurs('restore', [
    'plan',
    '--config',
    config,
    '--target-dir',
    join(scratch.path, 'data'),
    '--tablespace-base-dir',
    scratch.path,
    '--json',
  ]);
  const { directories } = restorePlanDocument.parse(JSON.parse(told.stdout));
  const [data, fast, slow] = directories;
  assert.deepEqual(directories.map(({ name, path }) => [name, path]).slice(1, 3), [
    ['fast', join(scratch.path, '16384')],
    ['slow', join(scratch.path, '16385')],
  ]);
  assert(fast?.needed_bytes_min === fast?.needed_bytes_max && (fast?.needed_bytes_min ?? 0) > 40_000);
  assert.deepEqual([slow?.needed_bytes_min, (slow?.needed_bytes_max ?? 0) > 11_000], [0, true]);
  assert.equal(data?.needed_bytes_max, 100_000 - (fast?.needed_bytes_min ?? 0));
  assert.equal(data?.needed_bytes_min, (data?.needed_bytes_max ?? 0) - (slow?.needed_bytes_max ?? 0));
  assert(directories.every(({ free_bytes: free }) => (free ?? 0) > 0));
});

test('what is missing of a base backup is told by name, and by the exit code', async () => {
  await using scratch = await makeTemporaryDirectory();
  const backups = await TestBackups.open(scratch.path);
  const chunks = [clusterMembers('pgdata/'), [{ path: 'pgdata/base/5/3', content: 'x' }]];
  const [, , lost = ''] = await backups.addChunked({ chunks, metadata: { 'active-backup-mode': 'standalone_hot_backup' } });
  await backups.store.delete(lost);
  const told = await runOurs('restore', ['plan', '--config', await backups.writeConfig(), '--json']);
  const { objects, warnings } = restorePlanDocument.parse(JSON.parse(told.stdout));
  assert.deepEqual([told.code, objects.is_complete, objects.checked], [2, false, 3]);
  assert.deepEqual(objects.missing, [{ kind: 'basebackup', first: lost, last: lost, objects: 1 }]);
  assert(warnings.some((warning) => /this restore would fail/.test(warning)));
});

test('what cannot be understood is refused with its code and a hint, as JSON where that is asked for', async () => {
  await using scratch = await makeTemporaryDirectory();
  const backups = await TestBackups.open(scratch.path);
  const config = await backups.writeConfig();
  const told = await runOurs('restore', ['plan', '--config', config, '--json', '--recovery-target-time', '2026-11-22 10:00:00']);
  const { code, hint } = planRefusalDocument.parse(JSON.parse(told.stdout));
  assert.deepEqual([told.code, code], [1, 'target-time-zone-missing']);
  assert.match(String(hint), /for UTC/);
  const none = await runOurs('restore', ['plan', '--config', config, '--json']);
  assert.equal(planRefusalDocument.parse(JSON.parse(none.stdout)).code, 'no-basebackup');
});
