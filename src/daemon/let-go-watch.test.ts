import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { BasebackupListing } from '../catalog/catalog.ts';
import { LetGoWatch } from './let-go-watch.ts';

const listingOf = (...names: string[]): BasebackupListing => ({
  entries: names.map((name) => ({ name }) as BasebackupEntry),
  unreadable: [],
});
const none = () => new Set<string>();

test('WAL goes after base backups that have gone: at that listing, and at the next one, but not while one listing lasts', () => {
  const watch = new LetGoWatch();
  assert.equal(watch.hasLetGo(undefined, none), false);
  assert.equal(watch.hasLetGo(listingOf('a', 'b'), none), false);
  assert.equal(watch.hasLetGo(listingOf('a', 'b', 'c'), none), false);
  const fewer = listingOf('b', 'c');
  assert.equal(watch.hasLetGo(fewer, none), true);
  assert.equal(watch.hasLetGo(fewer, none), false);
  assert.equal(watch.hasLetGo(listingOf('b', 'c'), none), true);
  assert.equal(watch.hasLetGo(listingOf('b', 'c'), none), false);
});

test('and behind one that is only kept for itself from now on', () => {
  const watch = new LetGoWatch();
  const alone = () => new Set(['a']);
  assert.equal(watch.hasLetGo(listingOf('a', 'b'), none), false);
  assert.equal(watch.hasLetGo(listingOf('a', 'b'), alone), true);
  assert.equal(watch.hasLetGo(listingOf('a', 'b'), alone), true);
  assert.equal(watch.hasLetGo(listingOf('b'), alone), false);
});
