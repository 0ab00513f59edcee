/** What is known of timelines. */
export interface KnownTimelines {
  /** Whose histories are stored. */
  readonly histories: readonly number[];
  /** On which base backups that stay begin. */
  readonly ofBackups: readonly number[];
  /** Of which WAL is stored. */
  readonly ofWal: readonly number[];
}

/** Those whose histories might go if nothing that is used descends from them. */
export function idleTimelines({ histories, ofBackups, ofWal }: KnownTimelines): readonly number[] {
  // Recovery tries the histories above its base backup in turn, and ends at the first that is missing.
  const oldest = Math.min(...ofBackups);
  const used = new Set([...ofBackups, ...ofWal, Math.max(0, ...histories)]);
  return ofBackups.length === 0 ? [] : histories.filter((timeline) => timeline < oldest && !used.has(timeline));
}

/** Those whose ancestors have to be known to say which histories go: all that are used, the newest included. */
export function usedTimelines({ histories, ofBackups, ofWal }: KnownTimelines): readonly number[] {
  const newest = Math.max(0, ...histories);
  return [...new Set([...ofBackups, ...ofWal, newest])].filter((timeline) => timeline > 1);
}

/** Histories that nothing needs: no base backup and no WAL lies on such a timeline or descends from it. `ancestors`: by used timeline; undefined where unknown. */
export function unneededHistories(known: KnownTimelines, ancestors: ReadonlyMap<number, readonly number[] | undefined>): readonly number[] {
  const all = usedTimelines(known).map((timeline) => ancestors.get(timeline));
  if (all.includes(undefined)) return [];
  const needed = new Set(all.flatMap((each) => each ?? []));
  return idleTimelines(known).filter((timeline) => !needed.has(timeline));
}
