import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { DigestSet, isDigest } from './digest-set.ts';

const digest = (n: number) => createHash('blake2s256').update(String(n)).digest('hex');

test('holds what was added, in its order and once, also after it has grown several times', () => {
  const set = new DigestSet();
  const all = Array.from({ length: 5000 }, (_, n) => digest(n));
  for (const hex of all) assert.equal(set.add(hex), true);
  for (const hex of all) assert.equal(set.add(hex), false);
  assert.equal(set.size, 5000);
  assert.deepEqual([...set], all);
  for (let n = 5000; n < 6000; n++) assert.equal(set.has(digest(n)), false);
  assert.ok(all.every((hex) => set.has(hex)));
});

test('digests that begin alike are told apart', () => {
  const set = new DigestSet();
  const alike = Array.from({ length: 300 }, (_, n) => `0000000000${n.toString(16).padStart(54, '0')}`);
  for (const hex of alike.slice(0, 200)) set.add(hex);
  assert.deepEqual(
    alike.map((hex) => set.has(hex)),
    alike.map((_, n) => n < 200),
  );
});

test('what is no digest is refused', () => {
  const set = new DigestSet();
  for (const text of ['', 'ab', 'g'.repeat(64), '0'.repeat(65)]) {
    assert.throws(() => set.add(text), RangeError, text);
    assert.equal(isDigest(text), false);
  }
  assert.equal(isDigest(digest(1)), true);
  assert.equal(isDigest(digest(1).toUpperCase()), false);
});
