import type { Metrics, MetricTags } from '../../lib/metrics.ts';
import { bucketSeconds, type MetricDefinition } from './metric-definition.ts';

/** More of one metric are not kept: something names too many things. */
const seriesMax = 2_000;
const tagCharsMax = 200;

/** What was measured: how a gauge stands, by how much a counter grew, how long something took. */
export interface Measurement {
  readonly definition: MetricDefinition;
  readonly value: number;
  readonly tags: MetricTags;
}

/** A gauge that is not set by events but looked up when somebody wants to know. */
export interface Sample {
  readonly name: string;
  readonly value: number;
  readonly tags?: MetricTags;
}

export interface Distribution {
  /** Not more than each of {@link bucketSeconds}; cumulative. */
  readonly buckets: readonly number[];
  readonly count: number;
  readonly sum: number;
}

export interface Series {
  readonly tags: MetricTags;
  /** Of a counter all that was ever added. */
  readonly value: number | Distribution;
}

export interface MetricFamily {
  readonly definition: MetricDefinition;
  readonly series: readonly Series[];
}

interface KeptSeries {
  readonly tags: MetricTags;
  value: number;
  /** Of a histogram, beside the sum that is its value. */
  readonly counts: number[];
}

export interface RegistryOptions {
  readonly definitions: readonly MetricDefinition[];
  /** Looks up the gauges that are not set by events. */
  readonly samples?: () => readonly Sample[];
  /** Told once of each name that is not declared, or has too many series. */
  readonly onRefused?: (name: string, because: string) => void;
}

/** Keeps what is measured, whoever may ask for it: counters that count, gauges as they were set last, histograms. */
export class MetricRegistry implements Metrics {
  readonly #definitions: ReadonlyMap<string, MetricDefinition>;
  readonly #options: RegistryOptions;
  readonly #families = new Map<string, Map<string, KeptSeries>>();
  readonly #refused = new Set<string>();
  #listener: ((measurement: Measurement) => void) | undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#definitions = new Map(options.definitions.map((definition) => [definition.name, definition]));
  }

  /** Hears of each measurement, and must neither throw nor take time. */
  listen(listener: ((measurement: Measurement) => void) | undefined): void {
    this.#listener = listener;
  }

  gauge(name: string, value: number, tags: MetricTags = {}): void {
    const series = this.#find('gauge', name, value, tags);
    if (series) series.value = value;
  }

  increase(name: string, by: number, tags: MetricTags = {}): void {
    if (by < 0) return;
    const series = this.#find('counter', name, by, tags);
    if (series) series.value += by;
  }

  observe(name: string, seconds: number, tags: MetricTags = {}): void {
    const series = this.#find('histogram', name, seconds, tags);
    if (!series) return;
    series.value += seconds;
    const bucket = bucketSeconds.findIndex((end) => seconds <= end);
    const index = bucket === -1 ? bucketSeconds.length : bucket;
    series.counts[index] = (series.counts[index] ?? 0) + 1;
  }

  /** Those gauges that are looked up, as they are now. */
  samples(): Measurement[] {
    return (this.#options.samples?.() ?? []).flatMap(({ name, value, tags = {} }) => {
      const definition = this.#definitionOf('gauge', name);
      return definition && Number.isFinite(value) ? [{ definition, value, tags: declaredTags(definition, tags) }] : [];
    });
  }

  /** Everything as it is now, in the order in which it is declared. */
  families(): MetricFamily[] {
    const sampled = Map.groupBy(this.samples(), ({ definition }) => definition.name);
    return this.#options.definitions.flatMap((definition) => {
      const kept = [...(this.#families.get(definition.name)?.values() ?? [])].map((series) => asSeries(definition, series));
      const series = [...kept, ...(sampled.get(definition.name) ?? [])];
      return series.length === 0 ? [] : [{ definition, series }];
    });
  }

  /** Forgets what was measured of sites that are none any more. */
  keepSites(names: ReadonlySet<string>): void {
    for (const family of this.#families.values()) {
      for (const [key, { tags }] of family) if (typeof tags['site'] === 'string' && !names.has(tags['site'])) family.delete(key);
    }
  }

  /** Undefined where it cannot be taken. */
  #find(kind: MetricDefinition['kind'], name: string, value: number, given: MetricTags): KeptSeries | undefined {
    const definition = this.#definitionOf(kind, name);
    if (definition === undefined || !Number.isFinite(value)) return undefined;
    const tags = declaredTags(definition, given);
    const series = this.#series(definition, tags);
    if (series && this.#listener) this.#listener({ definition, value, tags });
    return series;
  }

  #definitionOf(kind: MetricDefinition['kind'], name: string): MetricDefinition | undefined {
    const definition = this.#definitions.get(name);
    if (definition?.kind === kind) return definition;
    this.#refuse(name, definition === undefined ? 'there is no such metric' : `it is no ${kind} but a ${definition.kind}`);
    return undefined;
  }

  #series({ name, tags: names }: MetricDefinition, tags: MetricTags): KeptSeries | undefined {
    const family = this.#families.get(name) ?? new Map<string, KeptSeries>();
    this.#families.set(name, family);
    const key = names.map((tag) => tags[tag] ?? '').join('\0');
    const known = family.get(key);
    if (known) return known;
    if (family.size >= seriesMax) {
      this.#refuse(name, `there are ${seriesMax} of it already`);
      return undefined;
    }
    const fresh: KeptSeries = { tags, value: 0, counts: [] };
    family.set(key, fresh);
    return fresh;
  }

  #refuse(name: string, because: string): void {
    if (this.#refused.size >= seriesMax || this.#refused.has(name)) return;
    this.#refused.add(name);
    this.#options.onRefused?.(name, because);
  }
}

/** In the order of the definition. */
function declaredTags({ tags: names }: MetricDefinition, given: MetricTags): MetricTags {
  const tags: Record<string, string | number> = {};
  for (const name of names) {
    const value = given[name];
    if (value !== undefined) tags[name] = typeof value === 'string' ? value.slice(0, tagCharsMax) : value;
  }
  return tags;
}

function asSeries({ kind }: MetricDefinition, { tags, value, counts }: KeptSeries): Series {
  if (kind !== 'histogram') return { tags, value };
  let count = 0;
  const cumulative = Array.from({ length: bucketSeconds.length + 1 }, (_, index) => (count += counts[index] ?? 0));
  return { tags, value: { buckets: cumulative.slice(0, -1), count, sum: value } };
}
