import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ContentWishes, judgeContents } from './judge-contents.ts';
import { incompleteMarker, restoreJournal, setAside } from './layout.ts';

const reuse: ContentWishes = { overwrite: false, reuse: true };
const careful: ContentWishes = { overwrite: false, reuse: false };
const fast = "tablespace 'fast'";
const folder = 'PG_15_202209061';

test('an unfinished restore is one whatever is wished for; a tablespace only as one of the same', () => {
  const names = [incompleteMarker, restoreJournal, 'PG_VERSION'];
  for (const wishes of [careful, reuse, { ...careful, overwrite: true }]) {
    assert.equal(judgeContents('/x', 'data directory', names, wishes), 'unfinished');
    assert.equal(judgeContents('/x', fast, [incompleteMarker, folder], { ...wishes, belongsTo: 'unfinished restore' }), 'unfinished');
  }
  assert.throws(() => judgeContents('/x', fast, [incompleteMarker, folder], careful), { code: 'target-not-empty' });
});

test('only what is a cluster, or a tablespace of it alone, is reused', () => {
  assert.equal(judgeContents('/x', 'data directory', ['PG_VERSION', 'base', 'whatever'], reuse), 'to-be-reused');
  assert.equal(judgeContents('/x', 'data directory', [], reuse), 'empty');
  assert.equal(judgeContents('/x', fast, [folder], { ...reuse, belongsTo: 'data directory' }), 'to-be-reused');
  const refused: [names: string[], wishes: ContentWishes, isData?: boolean][] = [
    [['.bashrc', 'photos'], reuse, true],
    [['PG_VERSION', setAside], reuse, true],
    [[folder], reuse],
    [[folder, 'PG_14_202107181'], { ...reuse, belongsTo: 'data directory' }],
    [[folder, 'photos'], { ...reuse, belongsTo: 'data directory' }],
  ];
  for (const [names, wishes, isData] of refused) {
    assert.throws(
      () => judgeContents('/x', isData ? 'data directory' : fast, names, wishes),
      { code: 'target-not-recognised' },
      names.join(),
    );
  }
});
