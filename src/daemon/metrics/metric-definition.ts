/** One metric as it is declared and documented; whatever is measured under another name, or with tags of other names, is not taken. */
export interface MetricDefinition {
  readonly name: `pghoard.${string}`;
  /** A counter only grows, from zero at the start of the process. */
  readonly kind: 'gauge' | 'counter' | 'histogram';
  /** Names of the tags that it may have. */
  readonly tags: readonly string[];
  readonly unit:
    | 'bytes'
    | 'seconds'
    | 'files'
    | 'segments'
    | 'backups'
    | 'percent'
    | 'ratio'
    | 'yes or no'
    | 'times'
    | 'objects'
    | 'jobs'
    | 'places';
  readonly meaning: string;
  /** First release that has it. */
  readonly since: string;
}

/** Upper ends of the buckets of all histograms, in seconds: from a request within the data centre to one that a timeout ended. */
export const bucketSeconds: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** What Prometheus calls it. Counters that are only ours end as Prometheus wants it; those of the original keep the names that dashboards know. */
export function prometheusName({ name, kind, since }: MetricDefinition): string {
  const plain = name.replace(/[.-]/g, '_');
  return kind === 'counter' && since === ownSince ? `${plain}_total` : plain;
}

/** Of what the original did not have. */
export const ownSince = '3.0';
