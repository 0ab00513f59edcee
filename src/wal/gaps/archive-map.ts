import type { Catalog, WalFilesOptions } from '../../catalog/catalog.ts';
import { type HistoryReader, readHistories } from '../../catalog/read-histories.ts';
import type { Reached, StoredHistory, WalArchiveView } from '../../catalog/wal-archive-view.ts';
import { WalRanges } from '../../catalog/wal-ranges.ts';
import type { Lsn } from '../../postgres/lsn.ts';
import { classifyWalFile, formatWalName, historyNameOf, parseWalName, type WalSegment } from '../../postgres/wal-name.ts';
import type { Hole } from './gaps.ts';
import { holdsAny, listedTimelines, listPart, replacePart } from './listed-part.ts';
import { sizeOf, sizeOfFirst } from './stored-size.ts';

export interface ArchiveMapDeps {
  /** Of the site itself, then of the sites of the same cluster that it was moved from. */
  readonly relatives: (signal: AbortSignal) => Promise<readonly [Catalog, ...Catalog[]]>;
  /** WAL segment size of the cluster, as far as it is known. */
  readonly segmentBytes: () => number | undefined;
  readonly readHistory: HistoryReader;
  readonly signal: AbortSignal;
}

/** Up to where a server has written WAL. */
export interface WalPosition {
  readonly timeline: number;
  readonly lsn: Lsn;
}

interface Surveyed {
  /** Whose WAL this is. */
  readonly catalogs: readonly Catalog[];
  readonly segmentBytes: number;
  readonly ranges: WalRanges;
  readonly histories: Map<number, StoredHistory>;
}

/**
 * Which WAL is stored, from listings: all of it is listed now and then, in between part by part, and what we store ourselves is followed. What is deleted because no
 * base backup needs it stays on the map until the next listing, which comes soon after the base backups have gone.
 */
export class ArchiveMap {
  readonly #deps: ArchiveMapDeps;
  #surveyed: Surveyed | undefined;
  /** Under way: told what is stored meanwhile, as its listing may be past it. */
  #surveying: Surveyed | undefined;
  readonly #reached = new Map<number, Reached>();
  #obstacle = 'the store has not been listed yet';
  #version = 0;
  #hasNewHistory = false;
  /** Names of what has been stored since a part of it began to be listed again. */
  #storedMeanwhile: string[] | undefined;

  constructor(deps: ArchiveMapDeps) {
    this.#deps = deps;
  }

  /** What is stored, or why that is not known. */
  get view(): WalArchiveView | string {
    return this.#surveyed === undefined ? this.#obstacle : { ...this.#surveyed, reached: this.#reached };
  }

  /** A history is stored that nobody has tried to read. */
  get hasNewHistory(): boolean {
    return this.#hasNewHistory;
  }

  /** Grows with each change. */
  get version(): number {
    return this.#version;
  }

  /** Lists everything, a page at a time. Rejects with the store's errors, and then nothing changes. */
  async survey(): Promise<void> {
    const { relatives, segmentBytes, signal } = this.#deps;
    const catalogs = await relatives(signal);
    const size = segmentBytes() ?? (await sizeOfFirst(catalogs, signal));
    if (size === undefined) return this.#giveUp('the size of WAL segments is not known');
    const surveyed = { catalogs, segmentBytes: size, ranges: new WalRanges(), histories: new Map<number, StoredHistory>() };
    this.#surveying = surveyed;
    try {
      await this.#listSegments(surveyed);
      await this.#listHistories(surveyed);
      const newest = newestName(surveyed);
      const found = newest && (await sizeOf(newest, catalogs, signal));
      if (found !== undefined && found !== size) {
        return this.#giveUp(`WAL segments of ${size} bytes are expected, but ${newest} has ${found}`);
      }
      if (newest === undefined && (await catalogs[0].isEmpty(signal))) return this.#giveUp('the store has nothing of the site');
      this.#surveyed = surveyed;
      this.#hasNewHistory = true;
      this.#version++;
    } finally {
      this.#surveying = undefined;
    }
  }

  /** Sites have proved to be of the same cluster, or of another one, since everything was listed: the map is of too few or too many. */
  async isOfOthers(): Promise<boolean> {
    if (this.#surveyed === undefined) return false;
    const { catalogs } = this.#surveyed;
    const now = await this.#deps.relatives(this.#deps.signal);
    return now.length !== catalogs.length || now.some((catalog, index) => catalog !== catalogs[index]);
  }

  /** Follows what becomes of our own uploads. */
  stored(name: string, now: Date): void {
    this.#storedMeanwhile?.push(name);
    for (const surveyed of [this.#surveyed, this.#surveying]) {
      if (surveyed === undefined) continue;
      const segment = parse(name, surveyed.segmentBytes);
      if (segment !== undefined) surveyed.ranges.add(segment, now);
      if (classifyWalFile(name) === 'history') this.#addHistory(surveyed, name, now);
    }
    this.#version++;
  }

  /**
   * Lists so many segments again, and all histories: what has vanished from the store goes from the map, too, and what is back is back. From the beginning, or from
   * this segment on. Resolves to the segment with which the next part begins; undefined at the end. Rejects with the store's errors, and then nothing changes.
   */
  async listPart(from: WalSegment | undefined, segmentsMax: number): Promise<WalSegment | undefined> {
    const surveyed = this.#surveyed;
    if (surveyed === undefined) return undefined;
    const { catalogs, segmentBytes, ranges } = surveyed;
    const meanwhile: string[] = [];
    this.#storedMeanwhile = meanwhile;
    const { signal } = this.#deps;
    const [listed, timelines] = await Promise.all([
      listPart({ catalogs, segmentBytes, from, segmentsMax, signal }),
      listedTimelines(catalogs, signal),
    ]).finally(() => {
      this.#storedMeanwhile = undefined;
    });
    if (this.#surveyed !== surveyed) return from;
    // A disk that is not mounted looks like this, too.
    if (listed.segments.length === 0 && holdsAny(ranges, listed)) {
      await this.survey();
      return undefined;
    }
    const names = new Set(meanwhile);
    const isChanged = replacePart(
      ranges,
      listed,
      [...names].flatMap((name) => parse(name, segmentBytes) ?? []),
    );
    const gone = [...surveyed.histories.keys()].filter((timeline) => !timelines.has(timeline) && !names.has(historyNameOf(timeline)));
    for (const timeline of gone) surveyed.histories.delete(timeline);
    for (const [timeline, since] of timelines) this.#addHistory(surveyed, historyNameOf(timeline), since);
    if (isChanged || gone.length > 0 || this.#hasNewHistory) this.#version++;
    return listed.to && { ...listed.to, number: listed.to.number + 1n };
  }

  /** From where on so many segments of the newest timeline are known to be stored. */
  newestPart(segmentsMax: number): WalSegment | undefined {
    const timeline = this.#surveyed?.ranges.timelines.at(-1);
    if (this.#surveyed === undefined || timeline === undefined) return undefined;
    const from = nextOf(this.#surveyed, timeline) - BigInt(segmentsMax);
    return { timeline, number: from < 0n ? 0n : from };
  }

  /** All WAL of the timeline before this segment has been finished, whatever the store has of it. */
  reached(name: string, since: Date): void {
    const segmentBytes = this.#surveyed?.segmentBytes ?? this.#deps.segmentBytes();
    const segment = segmentBytes === undefined ? undefined : parse(name, segmentBytes);
    if (segment === undefined || segment.number <= (this.#reached.get(segment.timeline)?.end ?? -1n)) return;
    this.#reached.set(segment.timeline, { end: segment.number, since });
    this.#version++;
  }

  /** Whether a server has finished WAL of its timeline from behind all that is known to be stored. */
  isBehind({ timeline, lsn }: WalPosition): boolean {
    return this.#surveyed !== undefined && lsn >= (nextOf(this.#surveyed, timeline) + 1n) * BigInt(this.#surveyed.segmentBytes);
  }

  /** Lists what has been stored behind all that is known of a timeline: it may be another daemon's work. */
  async lookAhead(timeline: number): Promise<void> {
    const surveyed = this.#surveyed;
    if (surveyed === undefined) return;
    if (timeline > 1 && !surveyed.histories.has(timeline)) await this.#listHistories(surveyed);
    const from = formatWalName({ timeline, number: nextOf(surveyed, timeline) }, surveyed.segmentBytes);
    if (await this.#listSegments(surveyed, { from })) this.#version++;
  }

  /** Reads the histories whose content is not known yet. */
  async readHistories(): Promise<void> {
    const histories = this.#surveyed?.histories;
    if (histories === undefined) return;
    this.#hasNewHistory = false;
    if (await readHistories(histories, this.#deps.readHistory)) this.#version++;
  }

  /** Lists the place of a hole again: somebody else may have filled it. */
  async lookAgain({ line, first, last }: Pick<Hole, 'line' | 'first' | 'last'>): Promise<void> {
    const surveyed = this.#surveyed;
    if (surveyed === undefined) return;
    for (const stretch of line.finished()) {
      const from = stretch.first > first ? stretch.first : first;
      const to = stretch.end <= last ? stretch.end - 1n : last;
      if (from <= to) await this.#listSegments(surveyed, { from: line.nameAt(from), to: line.nameAt(to) });
    }
    this.#version++;
  }

  /** Lists the histories again. */
  async lookForHistories(): Promise<void> {
    if (this.#surveyed !== undefined) await this.#listHistories(this.#surveyed);
    this.#version++;
  }

  /** Resolves to whether there is any. */
  async #listSegments({ catalogs, segmentBytes, ranges }: Surveyed, between: WalFilesOptions = {}): Promise<boolean> {
    const { signal } = this.#deps;
    let isAny = false;
    for (const catalog of catalogs) {
      for await (const { name, lastModified } of catalog.walFiles('segment', { ...between, signal })) {
        const segment = parse(name, segmentBytes);
        if (segment === undefined) continue;
        ranges.add(segment, lastModified);
        isAny = true;
      }
    }
    return isAny;
  }

  async #listHistories(surveyed: Surveyed): Promise<void> {
    const { signal } = this.#deps;
    for (const catalog of surveyed.catalogs) {
      for await (const { name, lastModified } of catalog.walFiles('history', { signal })) this.#addHistory(surveyed, name, lastModified);
    }
    // A history never changes: what was read of it before is still right.
    for (const [timeline, { switches }] of this.#surveyed?.histories ?? []) {
      const listed = surveyed.histories.get(timeline);
      if (listed !== undefined) surveyed.histories.set(timeline, { ...listed, switches });
    }
  }

  #addHistory({ histories }: Surveyed, name: string, since: Date): void {
    const timeline = Number.parseInt(name.slice(0, 8), 16);
    if (histories.has(timeline)) return;
    histories.set(timeline, { switches: undefined, since });
    this.#hasNewHistory = true;
  }

  #giveUp(why: string): void {
    this.#surveyed = undefined;
    this.#obstacle = why;
    this.#version++;
  }
}

/** Undefined for what is no segment of this size. */
function parse(name: string, segmentBytes: number): WalSegment | undefined {
  try {
    return classifyWalFile(name) === 'segment' ? parseWalName(name, segmentBytes) : undefined;
  } catch {
    return undefined;
  }
}

/** The first segment behind all that are known of a timeline. */
function nextOf({ ranges }: Surveyed, timeline: number): bigint {
  return (ranges.of(timeline).at(-1)?.last ?? -1n) + 1n;
}

function newestName({ ranges, segmentBytes }: Surveyed): string | undefined {
  const timeline = ranges.timelines.at(-1);
  const last = timeline === undefined ? undefined : ranges.of(timeline).at(-1);
  return last && formatWalName({ timeline: timeline ?? 0, number: last.last }, segmentBytes);
}
