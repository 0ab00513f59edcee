import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTablespaceMap } from './tablespace-map.ts';

test('a tablespace map lists OIDs and paths, spaces, escaped newlines and backslashes in them included', () => {
  const map = parseTablespaceMap('16385 /srv/fast disk\n16386 /srv/a\\\nb\\\\c\n');
  assert.deepEqual(
    [...map],
    [
      [16385, '/srv/fast disk'],
      [16386, '/srv/a\nb\\c'],
    ],
  );
});

test('no tablespaces, no entries', () => assert.equal(parseTablespaceMap('').size, 0));
