import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { walEndIn } from './backup-manifest.ts';

/** As PostgreSQL writes it. */
const manifestWith = (ranges: string) => `"Checksum": "7e1a0d5c" }],
"WAL-Ranges": [
${ranges}
],
"Manifest-Checksum": "07e81bd0a0a3f3ee2f3f1f7a6d0f9f4d"}
`;

test('the end of the WAL stands behind the list of files', () => {
  const range = '{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "1/2000100" }';
  assert.deepEqual(walEndIn(manifestWith(range)), { timeline: 1, lsn: 0x1_0200_0100n });
});

test('of a standby that followed to another timeline the newest one counts', () => {
  const ranges = [
    '{ "Timeline": 12, "Start-LSN": "0/3000000", "End-LSN": "0/3000200" }',
    '{ "Timeline": 9, "Start-LSN": "0/2000028", "End-LSN": "0/3000000" }',
  ];
  for (const each of [ranges, ranges.toReversed()])
    assert.deepEqual(walEndIn(manifestWith(each.join(',\n'))), { timeline: 12, lsn: 0x300_0200n });
});

test('a file with the name of the key is no key', () => {
  assert.equal(walEndIn(String.raw`{ "Path": "\"WAL-Ranges\": [", "Size": 0 }`), undefined);
});

test('what is damaged is refused', () => {
  for (const text of ['"WAL-Ranges": [{ "Timeline": 1', manifestWith('{ "Timeline": 1, "End-LSN": "none" }'), manifestWith('1')]) {
    assert.throws(
      () => walEndIn(text),
      (error) => isOperatorError(error, 'backup-manifest-invalid'),
    );
  }
});
