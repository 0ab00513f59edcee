import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOurs } from '../../test/support/commands.ts';
import { makeStoredSite, storedKeys, storedSiteName } from '../../test/support/stored-site.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { openStore } from '../storage/drivers.ts';

const orphan = '000000010000000000000003';
const needed = '000000010000000000000005';

test('lists with --dry-run, deletes without, and refuses where there is no base backup', async () => {
  await using scratch = await makeTemporaryDirectory();
  const storage = { storage_type: 'local', directory: join(scratch.path, 'store') };
  const config = join(scratch.path, 'pghoard.json');
  await writeFile(config, JSON.stringify({ backup_sites: { [storedSiteName]: { object_storage: storage } } }));
  const store = await openStore(storage as never);
  const catalog = await makeStoredSite({}, [orphan, needed], store);

  const refused = await runOurs('archive-cleanup', ['--config', config]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^pghoard_archive_cleanup: FATAL: basebackup-missing: /);

  await makeStoredSite({ '2026-11-21_0': needed }, [], store);
  const env = { ...process.env, PGHOARD_CONFIG: config };
  const looked = await runOurs('archive-cleanup', ['--site', storedSiteName, '--dry-run'], { env });
  assert.deepEqual([looked.code, looked.stderr], [0, '']);
  assert.deepEqual(looked.stdout.split('\n'), [
    `Would delete site/xlog/${orphan} (1 bytes)`,
    'Would delete 1 WAL files that no base backup needs, 1 bytes in total',
    '',
  ]);
  assert.ok((await storedKeys(catalog)).includes(`xlog/${orphan}`));

  const done = await runOurs('archive-cleanup', ['--site', storedSiteName, '--config', config]);
  assert.deepEqual([done.code, done.stderr], [0, '']);
  assert.match(done.stdout, /^Deleting site\/xlog\/000000010000000000000003 \(1 bytes\)\nDeleted 1 /);
  assert.deepEqual(
    (await storedKeys(catalog)).filter((key) => key.startsWith('xlog')),
    [`xlog/${needed}`],
  );
});

test('exit codes of the command line', async () => {
  const env = { ...process.env, PGHOARD_CONFIG: '' };
  const version = await runOurs('archive-cleanup', ['--version'], { env });
  assert.equal(version.code, 0);
  assert.match(version.stdout, /^pghoard_archive_cleanup \d+\.\d+/);
  const noConfig = await runOurs('archive-cleanup', [], { env });
  assert.equal(noConfig.code, 1);
  assert.match(noConfig.stderr, /config file path must be given with --config or via env PGHOARD_CONFIG/);
  assert.equal((await runOurs('archive-cleanup', ['--config', '/nonexistent/pghoard.json'], { env })).code, 1);
  assert.equal((await runOurs('archive-cleanup', ['--nonsense'], { env })).code, 2);
});
