import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tablespacesOfMetadata } from '../catalog/backup-tablespaces.ts';
import { isOperatorError } from '../lib/errors.ts';
import { placeTablespaces, type TablespaceWishes } from './tablespaces.ts';

const backup = [
  { name: 'fast', oid: 16_385, path: '/srv/fast' },
  { name: '42', oid: 16_386, path: '/srv/old' },
];
const exists = async (path: string) => path === '/srv/fast' || path === '/mapped';

const rows: [what: string, wishes: TablespaceWishes, directories: string[]][] = [
  ['where they lay', { directories: new Map() }, ['/srv/fast', '/srv/old']],
  ['where they are mapped to, by name', { directories: new Map([['fast', '/mapped/']]) }, ['/mapped', '/srv/old']],
  ['where they are mapped to, by OID', { directories: new Map([['16386', '/mapped']]) }, ['/srv/fast', '/mapped']],
  ['below the base directory where there is nothing yet', { directories: new Map(), baseDirectory: '/base' }, ['/srv/fast', '/base/16386']],
];
for (const [what, wishes, directories] of rows) {
  test(`tablespaces go ${what}`, async () => {
    const placed = await placeTablespaces(backup, wishes, exists);
    assert.deepEqual(
      placed.map(({ directory }) => directory),
      directories,
    );
  });
}

test('a mapping that fits no tablespace is refused, and those there are named', async () => {
  await assert.rejects(
    placeTablespaces(backup, { directories: new Map([['slow', '/x']]) }, exists),
    (error) => isOperatorError(error, 'tablespace-unknown') && /'slow'/.test(error.message) && /'fast'/.test(error.hint ?? ''),
  );
});

test('a tablespace of unknown place must be mapped', async () => {
  await assert.rejects(placeTablespaces([{ name: 'a', oid: 1, path: 'relative' }], { directories: new Map() }, exists), (error) =>
    isOperatorError(error, 'tablespace-unmapped'),
  );
});

test('metadata of pghoard-bb-v1 names tablespaces by OID', () => {
  const metadata = { 'tablespace-name-16385': 'fast', 'tablespace-path-16385': '/srv/fast', 'start-time': 'x' };
  assert.deepEqual(tablespacesOfMetadata(metadata), [{ name: 'fast', oid: 16_385, path: '/srv/fast' }]);
});
