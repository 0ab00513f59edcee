import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleMember, type DeltaUnit, pathOfBundleMember, splitIntoDeltaUnits } from './delta-units.ts';
import type { FoundEntry } from './walk.ts';

const attributes = { file: { mode: 0o600, uid: 70, gid: 70 }, directory: { mode: 0o700, uid: 70, gid: 70 } };

function entry(path: string, size: number, changes: Partial<FoundEntry> = {}): FoundEntry {
  return { path, source: `/x/${path}`, type: 'file', size, mtime: 1, ...attributes.file, ...changes };
}
const directory = (path: string, changes: Partial<FoundEntry> = {}) =>
  entry(path, 0, { type: 'directory', ...attributes.directory, ...changes });

async function split(
  entries: readonly FoundEntry[],
  limits: { fileBytesMin?: number; bundleBytes?: number; bundleMembersMax?: number } = {},
) {
  const directories: string[] = [];
  const units: string[] = [];
  const rules = { fileBytesMin: 1000, bundleBytes: 10_000, bundleMembersMax: 100, ...limits, attributes };
  const onDirectory = async (path: string) => void directories.push(path);
  async function* walk() {
    yield* entries;
  }
  for await (const unit of splitIntoDeltaUnits(walk(), { ...rules, onDirectory })) units.push(describe(unit));
  return { directories, units };
}

function describe(unit: DeltaUnit): string {
  switch (unit.kind) {
    case 'file':
      return `file ${unit.entry.path}`;
    case 'embedded':
      return `embedded ${unit.entries.map(({ path }) => path).join(' ')}`;
    case 'bundle':
      return `bundle ${unit.members.map(({ path }) => path).join(' ')}`;
  }
}

test('150 bytes are embedded, less than the least size is bundled, from there on a file is an object', async () => {
  const sizes = [0, 150, 151, 999, 1000, 5000];
  const { directories, units } = await split([directory('pgdata/base'), ...sizes.map((size) => entry(`pgdata/base/${size}`, size))]);
  assert.deepEqual(directories, ['.', 'base']);
  assert.deepEqual(units, ['file base/1000', 'file base/5000', 'embedded base/0 base/150', 'bundle base/151 base/999']);
});

test('with a least size of 0 nothing of PGDATA is bundled', async () => {
  const { units } = await split([entry('pgdata/a', 150), entry('pgdata/b', 151)], { fileBytesMin: 0 });
  assert.deepEqual(units, ['file b', 'embedded a']);
});

test('what the format has no place for goes into bundles', async () => {
  const { directories, units } = await split(
    [
      directory('pgdata/odd', { mode: 0o750 }),
      entry('pgdata/odd/mode', 5000, { mode: 0o644 }),
      entry('pgdata/odd/owner', 1, { uid: 0 }),
      entry('pgdata/link', 0, { type: 'symlink', linkTarget: 'x' }),
      directory('tablespaces/fast'),
      entry('tablespaces/fast/PG_15_1/5/1', 5000),
      entry('pgdata/pgdata/x', 200),
      entry('pgdata/tablespaces/x', 200),
    ],
    { bundleBytes: 100_000 },
  );
  assert.deepEqual(directories, ['.', 'odd']);
  assert.deepEqual(units, [
    'bundle odd odd/mode odd/owner link tablespaces/fast tablespaces/fast/PG_15_1/5/1 pgdata/pgdata/x pgdata/tablespaces/x',
  ]);
});

test('bundles are cut by bytes of tar and by members, and a large member does not go together with others', async () => {
  const files = (sizes: readonly number[]) => sizes.map((size, n) => entry(`pgdata/${n}`, size));
  const byBytes = await split(files([512, 512, 512, 900]), { bundleBytes: 2048 });
  assert.deepEqual(byBytes.units, ['bundle 0 1', 'bundle 2', 'bundle 3']);
  const byMembers = await split(files([200, 200, 200]), { bundleMembersMax: 2 });
  assert.deepEqual(byMembers.units, ['bundle 0 1', 'bundle 2']);
  const large = await split([entry('tablespaces/t/1', 200), entry('tablespaces/t/2', 50_000), entry('tablespaces/t/3', 200)]);
  assert.deepEqual(large.units, ['bundle tablespaces/t/1', 'bundle tablespaces/t/2', 'bundle tablespaces/t/3']);
});

test('embedded files go in batches', async () => {
  const { units } = await split(Array.from({ length: 501 }, (_, n) => entry(`pgdata/${n}`, 1)));
  assert.deepEqual(
    units.map((unit) => unit.split(' ').length - 1),
    [500, 1],
  );
});

const members: readonly [path: string, member: string][] = [
  ['base/1/2', 'base/1/2'],
  ['pgdata', 'pgdata/pgdata'],
  ['pgdata/x', 'pgdata/pgdata/x'],
  ['pgdata2/x', 'pgdata2/x'],
  ['tablespaces/fast/x', 'pgdata/tablespaces/fast/x'],
];
for (const [path, member] of members) {
  test(`the file ${path} is the member ${member}, and back`, () => {
    assert.equal(bundleMember(path), member);
    assert.equal(pathOfBundleMember(member), path);
  });
}

test('members of tablespaces are no files of PGDATA', () => {
  assert.equal(pathOfBundleMember('tablespaces/fast/PG_15_1/5/1'), undefined);
});
