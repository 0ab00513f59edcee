import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BasebackupEntry } from '../../catalog/basebackup-entry.ts';
import type { FoundRecoverability } from '../../catalog/recoverability/find-recoverability.ts';
import { restorabilityOf } from './restorability.ts';

const at = (day: number) => new Date(Date.UTC(2026, 10, day));
const window = (name: string, from: number, until: number) => ({
  from: at(from),
  until: at(until),
  stretch: { name },
  backups: [{ name }],
});
const whole = (name: string, day: number) => ({ name, startTime: at(day), endTime: at(day) }) as BasebackupEntry;

function namesOf(windows: readonly object[], selfContained: readonly BasebackupEntry[]) {
  const found = { byDefault: { windows, unproven: [] }, selfContained, basebackups: [] };
  return restorabilityOf(found as unknown as FoundRecoverability, []).windows.map(({ basebackups: [name] }) => name);
}

test('the newest window is the one that is farthest in the WAL, whatever date a wrong clock gave to a base backup in it', () => {
  assert.deepEqual(namesOf([window('kept alone', 20, 20), window('newest', 1, 25)], []), ['kept alone', 'newest']);
});

test('what carries its WAL comes between by its time', () => {
  const alone = [whole('c', 22), whole('a', 2), whole('d', 28)];
  assert.deepEqual(namesOf([window('b', 10, 12), window('e', 25, 27)], alone), ['a', 'b', 'c', 'e', 'd']);
  assert.deepEqual(namesOf([], alone), ['a', 'c', 'd']);
});
