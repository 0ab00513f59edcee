import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOurs } from '../../test/support/commands.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';

const env = { ...process.env, PGHOARD_CONFIG: '' };

test('the command line: help, version, what is wrong with it, no configuration', async () => {
  const help = await runOurs('pghoard', ['check', '--help'], { env });
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^Usage: pghoard check \[options\]/);
  assert.match(help.stdout, /Exit codes: 0 nothing is wrong, 3 warnings, 1 failures/);
  assert.match((await runOurs('pghoard', ['check', '--version'], { env })).stdout, /^pghoard check \d+\.\d+/);
  assert.equal((await runOurs('pghoard', ['check', '--nonsense'], { env })).code, 2);
  const nothing = await runOurs('pghoard', ['check'], { env });
  assert.equal(nothing.code, 1);
  assert.match(nothing.stderr, /^pghoard check: FATAL: config-missing: config file path must be given/);
});

test('the daemon takes its command line as before, a file called "check" included', async () => {
  await using scratch = await makeTemporaryDirectory();
  for (const args of [['--config', 'check'], ['./check'], ['-D', './check']]) {
    const { code, stderr } = await runOurs('pghoard', args, { env, cwd: scratch.path });
    assert.deepEqual(
      [code, stderr.split('\n')[0]],
      [1, `pghoard: FATAL: config-missing: configuration file ${args.at(-1)} does not exist`],
    );
  }
  assert.match((await runOurs('pghoard', ['--version'], { env })).stdout, /^\d+\.\d+/);
  assert.match(
    (await runOurs('pghoard', ['--help'], { env })).stdout,
    /^  check +tell whether everything is set up, and what mends what is not$/m,
  );
});

for (const [name, text, message] of [
  ['no JSON', '{', 'does not contain valid JSON'],
  ['an unknown key', '{"backup_location": "/x", "backup_sitez": {}}', 'backup_sitez'],
  ['another type', '[]', 'must be a JSON object'],
] as const) {
  test(`a configuration that nobody can work with (${name}) is refused as by every command, and told as data, too`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const config = join(scratch.path, 'pghoard.json');
    await writeFile(config, text);
    const told = await runOurs('pghoard', ['check', '--config', config], { env });
    assert.deepEqual([told.code, told.stdout], [1, '']);
    assert.match(told.stderr, /^pghoard check: FATAL: config-invalid: /);
    assert.match(told.stderr, new RegExp(message));
    const { code, stdout } = await runOurs('pghoard', ['check', '--json', '--config', config], { env });
    const data = JSON.parse(stdout) as { result: string; counts: { failure: number }; checks: { id: string; because: string }[] };
    assert.deepEqual([code, data.result, data.counts.failure, data.checks[0]?.id], [1, 'failure', 1, 'configuration/settings']);
    assert.match(data.checks[0]?.because ?? '', new RegExp(message));
  });
}

test('a site that is not there', async () => {
  await using scratch = await makeTemporaryDirectory();
  const config = join(scratch.path, 'pghoard.json');
  await writeFile(config, JSON.stringify({ backup_location: scratch.path, backup_sites: {} }));
  const { code, stderr } = await runOurs('pghoard', ['check', '--config', config, '--site', 'main'], { env });
  assert.equal(code, 1);
  assert.match(stderr, /^pghoard check: FATAL: site-missing: /);
});
