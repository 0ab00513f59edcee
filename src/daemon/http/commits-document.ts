/**
 * `GET /SITE/commits?from=…&to=…&buckets=…`: what the indexes of the WAL tell of a span of time, by the clock of the server. `from` and `to` are ISO 8601 with a zone (default: the
 * last 24 hours), `buckets` is how many there are at most (default 240, at most 2000). Keys are only ever added.
 */
export interface CommitsDocument {
  readonly site: string;
  /** When it was so. */
  readonly at: string;
  /** The beginning of the first bucket: the whole minute at or before what was asked for. */
  readonly from: string;
  /** The end of the last one. */
  readonly to: string;
  /** Whole minutes. */
  readonly bucket_seconds: number;
  /** Of each timeline that has any, ascending: transactions that ended in each bucket. Aborts are of transactions and of subtransactions. */
  readonly timelines: readonly { readonly timeline: number; readonly commits: readonly number[]; readonly aborts: readonly number[] }[];
  /** In the order of time; the newest where there are very many. */
  readonly restore_points: readonly { readonly name: string; readonly timeline: number; readonly lsn: string; readonly time: string }[];
  /** Whether all WAL is counted that is stored of the span. */
  readonly is_complete: boolean;
  /** Why it is not. */
  readonly because: string | null;
}
