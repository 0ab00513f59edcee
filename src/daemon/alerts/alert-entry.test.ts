import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Moment } from './alert.ts';
import { AlertEntry, type AlertTiming, doubtMsMax } from './alert-entry.ts';

const start = Date.parse('2026-11-30T00:00:00Z');
const timing: AlertTiming = { afterMs: 30_000, settleMs: 60_000, repeatMs: 86_400_000 };

function at(second: number, clockSetBy = 0): Moment {
  return { now: new Date(start + (second + clockSetBy) * 1000), monotonicMs: 5_000 + second * 1000 };
}

type Change = readonly [second: number, what: 'raise' | 'clear'];
type Told = readonly [second: number, what: string];

/** What people hear, second by second. */
function toldBy(changes: readonly Change[], seconds: number, { afterMs = timing.afterMs } = {}): Told[] {
  const entry = new AlertEntry('wal_gap', 'main', at(0));
  const told: Told[] = [];
  const changeAt = new Map(changes);
  for (let second = 0; second <= seconds; second++) {
    if (changeAt.get(second) === 'raise') entry.raise('', 'a hole', at(second));
    if (changeAt.get(second) === 'clear') entry.clear('', at(second));
    const kind = entry.due({ ...timing, afterMs }, at(second));
    if (kind !== undefined) told.push([second, kind.replace('alert.', '')]);
  }
  return told;
}

function flapping(everySeconds: number, seconds: number): Change[] {
  const times = Array.from({ length: Math.floor(seconds / everySeconds) }, (_, index) => index);
  return times.map((index) => [index * everySeconds, index % 2 === 0 ? 'raise' : 'clear']);
}

describe('what people hear of an alert', () => {
  const cases: readonly {
    readonly what: string;
    readonly changes: readonly Change[];
    readonly seconds: number;
    readonly told: readonly Told[];
  }[] = [
    { what: 'one that stays', changes: [[10, 'raise']], seconds: 600, told: [[40, 'raised']] },
    {
      what: 'one that is gone before anybody is told',
      changes: [
        [10, 'raise'],
        [39, 'clear'],
      ],
      seconds: 600,
      told: [],
    },
    {
      what: 'one that comes, and goes for good',
      changes: [
        [0, 'raise'],
        [100, 'clear'],
      ],
      seconds: 600,
      told: [
        [30, 'raised'],
        [160, 'cleared'],
      ],
    },
    {
      what: 'one that is gone for a moment',
      changes: [
        [0, 'raise'],
        [100, 'clear'],
        [150, 'raise'],
      ],
      seconds: 600,
      told: [[30, 'raised']],
    },
    {
      what: 'reminders, each a day after the last word',
      changes: [[0, 'raise']],
      seconds: 2 * 86_400 + 100,
      told: [
        [30, 'raised'],
        [86_430, 'reminder'],
        [172_830, 'reminder'],
      ],
    },
  ];
  for (const { what, changes, seconds, told } of cases) test(what, () => assert.deepEqual(toldBy(changes, seconds), told));

  test('one that never stays is told of when it has come three times', () => {
    assert.deepEqual(toldBy(flapping(10, 60), 60), [[40, 'raised']]);
  });

  for (const everySeconds of [5, 45, 100, 400, 1500])
    test(`an alert that changes every ${everySeconds} s for six hours wakes nobody more than a dozen times`, () => {
      const told = toldBy(flapping(everySeconds, 6 * 3600), 8 * 3600, { afterMs: 0 });
      assert.ok(told.length >= 2 && told.length <= 12, JSON.stringify(told));
      assert.equal(told.at(-1)?.[1], 'cleared');
      assert.deepEqual(
        told.map(([, what]) => what),
        told.map((_, index) => (index % 2 === 0 ? 'raised' : 'cleared')),
      );
    });
});

test('an alert stands as long as anybody says so', () => {
  const entry = new AlertEntry('configuration_error', 'main', at(0));
  assert.equal(entry.raise('servers', 'the server is away', at(0)), true);
  assert.equal(entry.raise('receiver', 'WAL is not received', at(1)), false);
  assert.equal(entry.view.because, 'the server is away; WAL is not received');
  assert.equal(entry.clear('servers', at(2)), false);
  assert.equal(entry.view.because, 'WAL is not received');
  assert.equal(entry.clear('receiver', at(3)), true);
  assert.equal(entry.isActive, false);
});

describe('over a restart', () => {
  const told = new AlertEntry('wal_gap', 'main', at(0));
  told.raise('', 'a hole', at(0));
  told.due(timing, at(40));
  const saved = told.save(at(60));

  test('it is the same one: nobody is told again, and the first word of it stays', () => {
    const entry = AlertEntry.restore(saved, at(70));
    entry?.raise('', 'a hole', at(75));
    assert.equal(entry?.due(timing, at(200)), undefined);
    assert.deepEqual(entry?.view.since, at(0).now);
    assert.equal(entry?.view.because, 'a hole');
    assert.equal(entry?.due(timing, at(86_500)), 'alert.reminder');
  });

  test('one that nobody confirms is gone after a while', () => {
    const entry = AlertEntry.restore(saved, at(70));
    assert.equal(entry?.isActive, true);
    assert.equal(entry?.isStale(at(60 + doubtMsMax / 1000)), false);
    assert.equal(entry?.isStale(at(71 + doubtMsMax / 1000)), true);
  });

  test('what was gone but not told is told', () => {
    const gone = new AlertEntry('wal_gap', 'main', at(0));
    gone.raise('', 'a hole', at(0));
    gone.due(timing, at(40));
    gone.clear('', at(50));
    const entry = AlertEntry.restore(gone.save(at(60)), at(70));
    assert.equal(entry?.isActive, false);
    assert.equal(entry?.due(timing, at(131)), 'alert.cleared');
  });

  test('a clock that was set back meanwhile delays nothing for ever', () => {
    const entry = AlertEntry.restore(saved, at(70, -864_000));
    assert.equal(entry?.due(timing, at(70 + 86_400)), 'alert.reminder');
  });

  test('names that are no more are left out', () => assert.equal(AlertEntry.restore({ ...saved, name: 'of_old' }, at(0)), undefined));
});

test('it is forgotten an hour after it is over, and not before', () => {
  const entry = new AlertEntry('wal_gap', 'main', at(0));
  entry.raise('', 'a hole', at(0));
  assert.equal(entry.isOver(at(7200)), false);
  entry.clear('', at(7200));
  assert.equal(entry.isOver(at(7200)), true);
  entry.raise('', 'a hole', at(7300));
  entry.clear('', at(7301));
  assert.equal(entry.isOver(at(10_899)), false);
  assert.equal(entry.isOver(at(10_900)), true);
});
