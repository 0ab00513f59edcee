import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { packageFile } from '../../config/reference.ts';
import { prometheusName } from './metric-definition.ts';
import { metricTable } from './metric-table.ts';
import { metricsPage, places } from './metrics-page.ts';
import { metricsPageFile } from './reference.ts';

const tables = ['own-metrics.ts', 'original-metrics.ts', 'metrics-page.ts'];

test(`${metricsPageFile} tells what the tables say; otherwise run: node dist/src/daemon/metrics/reference.js`, () => {
  assert.equal(readFileSync(packageFile(metricsPageFile), 'utf8'), metricsPage());
});

test('each name is declared once, also for Prometheus', () => {
  for (const names of [metricTable.map(({ name }) => name), metricTable.map(prometheusName)])
    assert.equal(new Set(names).size, names.length);
});

test('what the sources measure is declared, and what is declared is measured', () => {
  const sources = sourceTexts();
  const quoted = sources.flatMap((text) => [...text.matchAll(/'(pghoard\.[a-z_.]+)'/g)].map(([, name]) => name ?? ''));
  const measured = new Set(quoted.filter((name) => !/\.(json|lock|service)$/.test(name)));
  const declared: readonly string[] = metricTable.map(({ name }) => name);
  // What is put together of a beginning and an end.
  const isBeginning = (name: string) => declared.some((each) => each.startsWith(`${name}_`));
  assert.deepEqual(
    [...measured].filter((name) => !declared.includes(name) && !isBeginning(name)),
    [],
  );
  assert.deepEqual(
    declared.filter((name) => ![...measured].some((each) => name === each || name.startsWith(`${each}_`))),
    [],
  );
});

test('the page names every place of which failures are counted', () => {
  const texts = sourceTexts();
  assert.deepEqual(
    places.map(([where]) => where).filter((where) => !texts.some((text) => text.includes(`'${where}'`))),
    [],
  );
  const counted = texts.flatMap((text) => [...text.matchAll(/\bwhere: '(\w+)'/g)].map(([, where]) => where ?? ''));
  assert.deepEqual(
    counted.filter((where) => !places.some(([known]) => known === where)),
    [],
  );
});

/** Of everything that may measure something. */
function sourceTexts(): string[] {
  const root = packageFile('src/');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return files
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !tables.some((table) => path.endsWith(table)))
    .map((path) => readFileSync(new URL(path, root), 'utf8'));
}
