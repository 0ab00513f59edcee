import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArrivalWatch } from './arrival-watch.ts';

/** What it makes of looks, each of which is the sign of arrival and where the server is by a new answer; an answer that is the old one is undefined. */
function looks(...all: readonly (readonly [sign: string, lsn: bigint | undefined])[]): string {
  const watch = new ArrivalWatch();
  let sample: { lsn: bigint } | undefined;
  return all
    .map(([sign, lsn]) => {
      if (lsn !== undefined) sample = { lsn };
      return watch.isWell({ sign, sample }) ? '+' : '-';
    })
    .join('');
}

test('an idle server, whose receiver gets nothing, is well', () => {
  assert.equal(looks(['a', 5n], ['a', 5n], ['a', 5n], ['a', 5n], ['a', 5n]), '+++++');
});

test('a server that moves on while nothing arrives is not', () => {
  assert.equal(looks(['a', 5n], ['a', 6n], ['a', 7n], ['a', 8n], ['a', undefined], ['a', 9n]), '+++---');
});

test('what arrives makes it well, whatever the server said before', () => {
  assert.equal(looks(['a', 5n], ['a', 6n], ['a', 7n], ['a', 8n], ['b', undefined], ['b', 9n], ['b', 9n], ['b', 9n]), '+++-++++');
});

test('an answer that is older than what arrived last proves nothing', () => {
  assert.equal(looks(['a', 5n], ['b', undefined], ['b', 5n], ['b', 9n], ['b', 9n]), '+++++');
});

test('a server that does not answer, or never did, proves nothing', () => {
  assert.equal(looks(['a', 5n], ['a', 6n], ['a', 7n], ['a', undefined], ['a', undefined]), '+++++');
  assert.equal(looks(['a', undefined], ['a', undefined]), '++');
});
