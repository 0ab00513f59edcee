import type { Catalog } from './catalog.ts';

/** A base backup of which chunks are stored, but not (or no longer) what makes it visible. */
export interface UnfinishedBasebackup {
  readonly name: string;
  /** When it was begun at the earliest. */
  readonly begun: Date;
  /** When its last chunk was stored. */
  readonly touched: Date;
}

/** Base backups that are being taken, here or elsewhere, or were given up, or whose deletion was interrupted. */
export async function* unfinishedBasebackups(catalog: Catalog, signal?: AbortSignal): AsyncGenerator<UnfinishedBasebackup> {
  for await (const name of catalog.orphanChunks({ running: new Set(), signal })) {
    const named = momentInName(name);
    let [first, touched] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const prefix of [catalog.keys.chunkPrefix(name), catalog.keys.deltaChunkPrefix(name)]) {
      for await (const { lastModified } of catalog.store.list(prefix, { signal })) {
        first = Math.min(first, lastModified.getTime());
        touched = Math.max(touched, lastModified.getTime());
      }
    }
    // Gone meanwhile.
    if (first > touched) continue;
    yield { name, begun: new Date(Math.min(first, named ?? first)), touched: new Date(touched) };
  }
}

/** In milliseconds: `2026-11-22_14-03_0` and `2026-11-22_0` begin with a moment in UTC. */
function momentInName(name: string): number | undefined {
  const [, day, hour = '00', minute = '00'] = /^(\d{4}-\d{2}-\d{2})(?:_(\d{2})-(\d{2}))?_\d+$/.exec(name) ?? [];
  const moment = day === undefined ? Number.NaN : Date.parse(`${day}T${hour}:${minute}:00Z`);
  return Number.isNaN(moment) ? undefined : moment;
}

/** Behind every other name that begins so. */
const lastPossibleName = '\u{10ffff}';
/** More of them at once are told as the first ones. */
const newestMax = 10;

/** Those whose names come after this one: few requests, however many base backups there are. */
export async function newestUnfinished(
  { store, keys }: Catalog,
  after: string,
  signal: AbortSignal,
): Promise<readonly UnfinishedBasebackup[]> {
  const found = new Map<string, UnfinishedBasebackup>();
  for (const prefix of [keys.chunksPrefix, keys.deltaChunksPrefix]) {
    let last = `${prefix}${after}/${lastPossibleName}`;
    for (let sets = 0; sets < newestMax; sets++) {
      const first = await firstOf(store.list(prefix, { after: last, signal }));
      const [name, file] = first?.key.slice(prefix.length).split('/') ?? [];
      if (first === undefined || name === undefined) break;
      last = `${prefix}${name}/${lastPossibleName}`;
      const begun = new Date(Math.min(first.lastModified.getTime(), momentInName(name) ?? Number.POSITIVE_INFINITY));
      if (file !== undefined && name > after) found.set(name, { name, begun, touched: first.lastModified });
    }
  }
  return [...found.values()];
}

async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}
