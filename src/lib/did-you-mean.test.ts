import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean, nearest } from './did-you-mean.ts';

const words = ['basebackup_mode', 'basebackup_count', 'basebackup_count_min', 'nodes', 'prefix'];

const table: readonly (readonly [word: string, nearest: string | undefined])[] = [
  ['basebackup_mod', 'basebackup_mode'],
  ['basebakcup_mode', 'basebackup_mode'],
  ['BASEBACKUP_MODE', 'basebackup_mode'],
  ['basebackup_count_mn', 'basebackup_count_min'],
  ['node', 'nodes'],
  ['ndoes', 'nodes'],
  ['perfix', 'prefix'],
  ['colour', undefined],
  ['x', undefined],
  ['', undefined],
];

for (const [word, expected] of table) {
  test(`"${word}" is nearest to ${expected ?? 'nothing'}`, () => assert.equal(nearest(word, words), expected));
}

test('the suggestion is a phrase to append, or nothing', () => {
  assert.equal(didYouMean('nodse', words), ' (did you mean "nodes"?)');
  assert.equal(didYouMean('quite different', words), '');
});
