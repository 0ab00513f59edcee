import type { Metrics, MetricTags } from '../../src/lib/metrics.ts';

/** Notes what is measured, a line each: `name{tag=value,…} value`. What takes time is noted without how long it took. */
export class RecordedMetrics implements Metrics {
  readonly lines: string[] = [];

  gauge(name: string, value: number, tags: MetricTags = {}): void {
    this.lines.push(`${described(name, tags)} ${value}`);
  }

  increase(name: string, by: number, tags: MetricTags = {}): void {
    this.lines.push(`${described(name, tags)} +${by}`);
  }

  observe(name: string, _seconds: number, tags: MetricTags = {}): void {
    this.lines.push(described(name, tags));
  }

  /** The lines since the last call. */
  taken(): string[] {
    return this.lines.splice(0);
  }
}

function described(name: string, tags: MetricTags): string {
  const texts = Object.entries(tags).map(([tag, value]) => `${tag}=${value}`);
  return `${name}{${texts.toSorted().join(',')}}`;
}
