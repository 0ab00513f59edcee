import { bucketSeconds, type MetricDefinition, ownSince, prometheusName } from './metric-definition.ts';
import type { Distribution, MetricFamily, Series } from './registry.ts';

/** Go with every metric. Null: without a value. */
export type CommonTags = Readonly<Record<string, string | null>>;

type LabelValues = Readonly<Record<string, string | number | null>>;

/** Prometheus' text format, version 0.0.4. Without timestamps: what is told is how it is now. Tags that come with a metric win over common ones. */
export function prometheusText(families: readonly MetricFamily[], common: CommonTags): string {
  return families.map((family) => textOf(family, common)).join('');
}

function textOf({ definition, series }: MetricFamily, common: CommonTags): string {
  const name = prometheusName(definition);
  const lines = [
    `# HELP ${name} ${escapeHelp(definition.meaning)}`,
    `# TYPE ${name} ${typeOf(definition)}`,
    ...series.flatMap((each) => linesOf(name, each, common)),
  ];
  return `${lines.join('\n')}\n`;
}

/** Prometheus wants counters to end in `_total`; those that came from the original without it are told as they were, without a type. */
function typeOf({ kind, since }: MetricDefinition): string {
  return kind === 'counter' && since !== ownSince ? 'untyped' : kind;
}

function linesOf(name: string, { tags, value }: Series, common: CommonTags): string[] {
  if (typeof value === 'number') return [`${name}${labels({ ...common, ...tags })} ${value}`];
  return distributionLines(name, value, { ...common, ...tags });
}

function distributionLines(name: string, { buckets, count, sum }: Distribution, tags: LabelValues): string[] {
  const line = (end: number | string, upTo: number) => `${name}_bucket${labels(tags, `le="${end}"`)} ${upTo}`;
  return [
    ...bucketSeconds.map((end, index) => line(end, buckets[index] ?? 0)),
    line('+Inf', count),
    `${name}_sum${labels(tags)} ${sum}`,
    `${name}_count${labels(tags)} ${count}`,
  ];
}

/** Sorted, and each name once: two names may become one. */
function labels(tags: LabelValues, last?: string): string {
  const texts = new Map(Object.entries(tags).map(([name, value]) => [labelName(name), escapeValue(String(value ?? ''))]));
  const sorted = [...texts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}="${value}"`);
  if (last !== undefined) sorted.push(last);
  return sorted.length === 0 ? '' : `{${sorted.join(',')}}`;
}

/** `le` is what Prometheus calls the end of a bucket. */
function labelName(tag: string): string {
  const name = tag.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=[0-9]|$)/, '_');
  return name === 'le' ? 'le_' : name;
}

function escapeValue(text: string): string {
  return text.replaceAll('\\', String.raw`\\`).replaceAll('"', String.raw`\"`).replaceAll('\n', String.raw`\n`);
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', String.raw`\\`).replaceAll('\n', String.raw`\n`);
}
