import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommand, UsageError } from './postgres-command-options.ts';

const required = ['--site', 'main', '--xlog', '000000010000000000000003', '--mode', 'restore'];

test('defaults', () => {
  assert.deepEqual(parseCommand(required, {}), {
    do: 'run',
    options: { mode: 'restore', host: '127.0.0.1', port: 16_000, site: 'main', xlog: '000000010000000000000003', retryIntervalMs: 5000 },
  });
});

test('flags of the original, of its Go variant, and from the environment', () => {
  const flags = ['-host', '::1', '-port=17000', '--output', 'pg_wal/RECOVERYXLOG', '-retry-interval', '0.5', '--username', 'flag'];
  const parsed = parseCommand([...required, ...flags], {
    PGHOARD_USERNAME: 'env',
    PGHOARD_PASSWORD: 'secret',
    PGHOARD_RETRY_INTERVAL: '9',
  });
  assert.ok(parsed.do === 'run');
  const { host, port, output, retryIntervalMs, credentials } = parsed.options;
  assert.deepEqual([host, port, output, retryIntervalMs], ['::1', 17_000, 'pg_wal/RECOVERYXLOG', 500]);
  assert.deepEqual(credentials, { username: 'flag', password: 'secret' });
});

test('a path as name of the WAL file is taken for its last part', () => {
  const parsed = parseCommand(['--site', 'main', '--mode', 'archive', '--xlog', 'pg_wal/00000002.history'], {});
  assert.ok(parsed.do === 'run');
  assert.equal(parsed.options.xlog, '00000002.history');
});

for (const [what, args] of [
  ['a port that is none', [...required, '--port', '70000']],
  ['a port with a unit', [...required, '--port', '16k']],
  ['an interval that is none', [...required, '--retry-interval', '-1']],
  ['a site with a slash', ['--site', '../x', '--xlog', 'a', '--mode', 'restore']],
  ['a site that would need encoding', ['--site', 'a b', '--xlog', 'a', '--mode', 'restore']],
  ['a name with a query', ['--site', 'a', '--xlog', 'a?b', '--mode', 'restore']],
  ['no mode', ['--site', 'a', '--xlog', 'a']],
  ['a flag without its value', [...required, '--output']],
] as const) {
  test(`refused: ${what}`, () => assert.throws(() => parseCommand(args, {}), UsageError));
}
