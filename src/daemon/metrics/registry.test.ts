import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricDefinition } from './metric-definition.ts';
import { type Measurement, MetricRegistry, type Sample } from './registry.ts';

const common = { unit: 'times', meaning: 'a test', since: '3.0' } as const;
const definitions: readonly MetricDefinition[] = [
  { name: 'pghoard.g', kind: 'gauge', tags: ['site', 'type'], ...common },
  { name: 'pghoard.c', kind: 'counter', tags: ['site'], ...common },
  { name: 'pghoard.h', kind: 'histogram', tags: [], ...common },
  { name: 'pghoard.looked_up', kind: 'gauge', tags: ['site'], ...common },
];

function make(samples: readonly Sample[] = []) {
  const refused: string[] = [];
  const registry = new MetricRegistry({
    definitions,
    samples: () => samples,
    onRefused: (name, because) => void refused.push(`${name}: ${because}`),
  });
  const told = () => registry.families().map(({ definition, series }) => [definition.name, series] as const);
  return { registry, refused, told };
}

test('gauges keep the last value, counters add up, each for its own tags', () => {
  const { registry, told } = make([{ name: 'pghoard.looked_up', value: 7, tags: { site: 'a' } }]);
  registry.gauge('pghoard.g', 1, { site: 'a' });
  registry.gauge('pghoard.g', 2.5, { site: 'a' });
  registry.gauge('pghoard.g', 3, { type: 'xlog', site: 'a' });
  for (const by of [1, 0, 41]) registry.increase('pghoard.c', by, { site: 'a' });
  registry.increase('pghoard.c', 5, { site: 'b' });
  assert.deepEqual(told(), [
    [
      'pghoard.g',
      [
        { tags: { site: 'a' }, value: 2.5 },
        { tags: { site: 'a', type: 'xlog' }, value: 3 },
      ],
    ],
    [
      'pghoard.c',
      [
        { tags: { site: 'a' }, value: 42 },
        { tags: { site: 'b' }, value: 5 },
      ],
    ],
    ['pghoard.looked_up', [{ definition: definitions[3], tags: { site: 'a' }, value: 7 }]],
  ]);
});

test('a histogram counts each time in its bucket and all above', () => {
  const { registry, told } = make();
  for (const seconds of [0.005, 0.2, 0.2, 1000]) registry.observe('pghoard.h', seconds);
  assert.deepEqual(told(), [
    ['pghoard.h', [{ tags: {}, value: { buckets: [1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3], count: 4, sum: 1000.405 } }]],
  ]);
});

test('what is not declared so, or is no number, is not taken, and told once', () => {
  const { registry, refused, told } = make();
  for (let i = 0; i < 3; i++) {
    registry.gauge('pghoard.unknown', 1);
    registry.gauge('pghoard.c', 1);
    registry.gauge('pghoard.g', Number.NaN, { site: 'a' });
    registry.increase('pghoard.c', -1, { site: 'a' });
    registry.increase('pghoard.c', Number.POSITIVE_INFINITY, { site: 'a' });
  }
  assert.deepEqual(told(), []);
  assert.deepEqual(refused, ['pghoard.unknown: there is no such metric', 'pghoard.c: it is no gauge but a counter']);
  registry.gauge('pghoard.g', 1, { site: 'a', password: 'secret' });
  assert.deepEqual(told(), [['pghoard.g', [{ tags: { site: 'a' }, value: 1 }]]], 'other tags are left out');
});

test('series are bounded in number and length', () => {
  const { registry, refused } = make();
  for (let i = 0; i < 10_000; i++) registry.increase('pghoard.c', 1, { site: 'x'.repeat(1000) + String(i) });
  for (let i = 0; i < 10_000; i++) registry.increase('pghoard.c', 1, { site: `s${i}` });
  const [family] = registry.families();
  assert.equal(family?.series.length, 2000);
  assert.equal(family.series[0]?.tags['site'], 'x'.repeat(200), 'cut');
  assert.deepEqual(refused, ['pghoard.c: there are 2000 of it already']);
});

test('a listener hears what was measured, in the order of the definition’s tags', () => {
  const { registry } = make();
  const heard: Measurement[] = [];
  registry.listen((measurement) => heard.push(measurement));
  registry.gauge('pghoard.g', 1, { type: 't', site: 's' });
  registry.increase('pghoard.c', 2);
  registry.listen(undefined);
  registry.increase('pghoard.c', 3);
  assert.deepEqual(
    heard.map(({ definition, value, tags }) => [definition.name, value, Object.keys(tags)]),
    [
      ['pghoard.g', 1, ['site', 'type']],
      ['pghoard.c', 2, []],
    ],
  );
});

test('a site that is none any more is forgotten; what belongs to no site stays', () => {
  const { registry, told } = make();
  for (const tags of [{ site: 'a' }, { site: 'b' }, {}]) registry.increase('pghoard.c', 1, tags);
  registry.keepSites(new Set(['b']));
  assert.deepEqual(told(), [
    [
      'pghoard.c',
      [
        { tags: { site: 'b' }, value: 1 },
        { tags: {}, value: 1 },
      ],
    ],
  ]);
});
