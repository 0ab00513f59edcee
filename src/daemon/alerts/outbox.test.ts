import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AlertName } from './alert-catalogue.ts';
import { alertKinds } from './alert-catalogue.ts';
import { type AlertEvent, type AlertEventKind, alertEvent, basebackupEvent } from './alert-event.ts';
import { emptyOutbox, type Outbox, withEvent, withoutEvent } from './outbox.ts';

const teller = (id: string) => ({ id, at: new Date('2026-11-30T00:00:00Z'), host: 'db1', version: '3.0.0' });

function alert(id: string, name: AlertName, kind: AlertEventKind, site = 'main'): AlertEvent {
  return alertEvent(kind, { name, site, ...alertKinds[name], since: new Date(0), because: 'so', times: 1 }, teller(id));
}

function basebackup(id: string): AlertEvent {
  return basebackupEvent('main', { name: id, reason: 'scheduled', started: id, failures: 0, because: null }, teller(id));
}

function filled(events: readonly AlertEvent[], waitingMax?: number): Outbox {
  return events.reduce((outbox, event) => withEvent(outbox, event, waitingMax), emptyOutbox);
}

const ids = ({ waiting }: Outbox) => waiting.map(({ id }) => id).join('');

test('events wait in their order, all of them', () => {
  const outbox = filled([alert('a', 'wal_gap', 'alert.raised'), basebackup('b'), alert('c', 'wal_gap', 'alert.cleared')]);
  assert.deepEqual([ids(outbox), outbox.omitted], ['abc', 0]);
});

test('of several reminders only the last one waits', () => {
  const outbox = filled([
    alert('a', 'wal_gap', 'alert.raised'),
    alert('b', 'wal_gap', 'alert.reminder'),
    alert('c', 'store_empty', 'alert.reminder'),
    alert('d', 'wal_gap', 'alert.reminder', 'other'),
    alert('e', 'wal_gap', 'alert.reminder'),
  ]);
  assert.deepEqual([ids(outbox), outbox.omitted], ['acde', 0]);
});

test('where too many wait the newest state of each alert is the last to go', () => {
  const outbox = filled(
    [
      alert('a', 'store_empty', 'alert.raised'),
      basebackup('b'),
      alert('c', 'wal_gap', 'alert.raised'),
      alert('d', 'wal_gap', 'alert.cleared'),
      alert('e', 'wal_gap', 'alert.raised'),
      alert('f', 'store_denied', 'alert.raised'),
      alert('g', 'lease_lost', 'alert.raised'),
    ],
    3,
  );
  assert.deepEqual([ids(outbox), outbox.omitted], ['efg', 4]);
});

test('what is delivered ends the count of what was left out', () => {
  const full = filled([basebackup('a'), basebackup('b'), alert('c', 'wal_gap', 'alert.raised')], 2);
  assert.deepEqual([ids(full), full.omitted], ['bc', 1]);
  const delivered = withoutEvent(full, 'b', true);
  assert.deepEqual([ids(delivered), delivered.omitted], ['c', 0]);
  const givenUp = withoutEvent(full, 'b', false);
  assert.deepEqual([ids(givenUp), givenUp.omitted], ['c', 2]);
});
