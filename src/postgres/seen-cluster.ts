/** What was seen of a cluster; what is unknown is not compared. */
export interface SeenCluster {
  readonly systemIdentifier?: bigint | undefined;
  /** WAL segment size in bytes. */
  readonly segmentBytes?: number | undefined;
  /** `15`, `9.6`. */
  readonly major?: string | undefined;
}

/** What to do about WAL that came to the wrong place. */
export const siteOfItsOwn =
  'A copy or another server that still points here, and a cluster that was made anew or by pg_upgrade, needs a site of its own: see "A new cluster" in ' +
  'docs/guide.md. What is stored was not changed.';

/** What tells that `seen` is another cluster, or one whose WAL is cut otherwise since `pg_resetwal`; undefined where nothing does. */
export function differenceOf(expected: SeenCluster, seen: SeenCluster): string | undefined {
  if (differ(expected.systemIdentifier, seen.systemIdentifier)) {
    return `its system identifier is ${seen.systemIdentifier}, not ${expected.systemIdentifier}`;
  }
  if (differ(expected.segmentBytes, seen.segmentBytes)) {
    return `its WAL segments have ${seen.segmentBytes} bytes, not ${expected.segmentBytes}`;
  }
  return undefined;
}

function differ<T>(a: T | undefined, b: T | undefined): boolean {
  return a !== undefined && b !== undefined && a !== b;
}
