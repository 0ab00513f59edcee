import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOurs } from '../../test/support/commands.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';

test('exit codes of the command line', async () => {
  await using scratch = await makeTemporaryDirectory();
  const config = join(scratch.path, 'pghoard.json');
  await writeFile(
    config,
    JSON.stringify({
      backup_sites: { main: { nodes: ['host=/nowhere'], object_storage: { storage_type: 'local', directory: scratch.path } } },
    }),
  );
  const env = { ...process.env, PGHOARD_CONFIG: '' };
  const cases: readonly [args: readonly string[], code: number, said: RegExp][] = [
    [['--version'], 0, /^pghoard_archive_sync \d+\.\d+/],
    [[], 1, /config file path must be given with --config or via env PGHOARD_CONFIG/],
    [['--config', join(scratch.path, 'nothing.json')], 1, /does not exist/],
    [['--config', config, '--site', 'other'], 1, /"other" not defined/],
    [
      ['--config', config, '--max-hash-checks', '-1', '--no-verify', '--create-new-backup-on-failure', '-D'],
      1,
      /pg_data_directory is missing/,
    ],
    [['--config', config, '--max-hash-checks', 'many'], 2, /must be a number/],
    [['--nonsense'], 2, /unknown option/],
  ];
  const runs = cases.map(async ([args, expected, said]) => {
    const { code, stdout, stderr } = await runOurs('archive-sync', args, { env });
    assert.equal(code, expected, `${args.join(' ')}\n${stderr}`);
    assert.match(stdout + stderr, said);
  });
  await Promise.all(runs);
});
