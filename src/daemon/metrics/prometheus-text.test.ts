import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricDefinition } from './metric-definition.ts';
import { prometheusText } from './prometheus-text.ts';

const common = { unit: 'times', since: '3.0' } as const;
const gauge: MetricDefinition = { name: 'pghoard.some.gauge', kind: 'gauge', tags: [], meaning: 'A gauge.', ...common };

test('types, help and names as Prometheus has them', () => {
  const counter = { ...gauge, name: 'pghoard.count', kind: 'counter', meaning: 'C:\\ and\nmore' } as const;
  const original = { ...counter, name: 'pghoard.upload_size', since: '1.4', meaning: 'Old.' } as const;
  const histogram = { ...gauge, name: 'pghoard.time', kind: 'histogram', meaning: 'H.' } as const;
  const buckets = [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
  const text = prometheusText(
    [
      { definition: gauge, series: [{ tags: {}, value: 0.5 }] },
      { definition: counter, series: [{ tags: { site: 'a' }, value: 3 }] },
      { definition: original, series: [{ tags: { site: 'a' }, value: 1e21 }] },
      { definition: histogram, series: [{ tags: { site: 'a' }, value: { buckets, count: 2, sum: 400.01 } }] },
    ],
    { dc: 'x' },
  );
  assert.deepEqual(text.split('\n').slice(0, 12), [
    '# HELP pghoard_some_gauge A gauge.',
    '# TYPE pghoard_some_gauge gauge',
    'pghoard_some_gauge{dc="x"} 0.5',
    String.raw`# HELP pghoard_count_total C:\\ and\nmore`,
    '# TYPE pghoard_count_total counter',
    'pghoard_count_total{dc="x",site="a"} 3',
    '# HELP pghoard_upload_size Old.',
    '# TYPE pghoard_upload_size untyped',
    'pghoard_upload_size{dc="x",site="a"} 1e+21',
    '# HELP pghoard_time H.',
    '# TYPE pghoard_time histogram',
    'pghoard_time_bucket{dc="x",site="a",le="0.005"} 0',
  ]);
  assert.deepEqual(text.split('\n').slice(-4), [
    'pghoard_time_bucket{dc="x",site="a",le="+Inf"} 2',
    'pghoard_time_sum{dc="x",site="a"} 400.01',
    'pghoard_time_count{dc="x",site="a"} 2',
    '',
  ]);
});

const labels: readonly (readonly [what: string, tags: Record<string, string | null>, own: Record<string, string>, text: string])[] = [
  ['none', {}, {}, ''],
  ['sorted', { b: '1', a: '2' }, { c: '3' }, '{a="2",b="1",c="3"}'],
  ['its own win', { site: 'all' }, { site: 'main' }, '{site="main"}'],
  ['escaped', {}, { site: 'a"b\\c\nd' }, String.raw`{site="a\"b\\c\nd"}`],
  ['a tag without a value', { flag: null }, {}, '{flag=""}'],
  ['names that are none', { 'a-b.c': '1', '9': '2', '': '3', le: '4', é: '5' }, {}, '{_="5",_9="2",a_b_c="1",le_="4"}'],
  ['two names that become one', { 'a-b': '1', a_b: '2' }, {}, '{a_b="2"}'],
];
for (const [what, tags, own, text] of labels) {
  test(`labels: ${what}`, () => {
    const line = prometheusText([{ definition: gauge, series: [{ tags: own, value: 1 }] }], tags).split('\n')[2];
    assert.equal(line, `pghoard_some_gauge${text} 1`);
  });
}
