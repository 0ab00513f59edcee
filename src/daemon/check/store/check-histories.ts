import type { BasebackupEntry } from '../../../catalog/basebackup-entry.ts';
import type { Catalog } from '../../../catalog/catalog.ts';
import type { StoredObject } from '../../../catalog/stored-object.ts';
import { runHere } from '../../../codec/pool.ts';
import type { SiteConfig } from '../../../config/load.ts';
import { inWords, isOperatorError } from '../../../lib/errors.ts';
import type { TimelineSwitch } from '../../../postgres/timeline-history.ts';
import { historyNameOf } from '../../../postgres/wal-name.ts';
import { readHistory } from '../../../retention/read-history.job.ts';
import { privateKeysOf } from '../../site-keys.ts';
import { about, type Finding, failure, note, ok } from '../finding.ts';

/** Of the newest timelines; who has had more failovers than that does not restore across all of them. */
const readMax = 50;

export type ReadHistory = (timeline: number, signal: AbortSignal) => Promise<readonly TimelineSwitch[]>;

/** Reads them as they are stored. */
export function historyReaderOf(site: SiteConfig, catalog: Catalog): ReadHistory {
  const { object_storage: storage } = site;
  const privateKeys = privateKeysOf(site);
  return (timeline, signal) => {
    const history: StoredObject = { storage, privateKeys, key: catalog.walKey(historyNameOf(timeline)) };
    return runHere(readHistory, history, { signal });
  };
}

/**
 * Whether what leads from the base backups to the newest WAL can be followed: each timeline that has WAL, and is newer than the oldest base backup, needs its history.
 * One listing for each timeline.
 */
export async function checkHistories(
  entries: readonly BasebackupEntry[],
  catalog: Catalog,
  { read, sync, signal }: { readonly read: ReadHistory; readonly sync: string; readonly signal: AbortSignal },
): Promise<Finding[]> {
  const oldest = Math.min(...entries.map(({ startWalSegment }) => timelineOf(startWalSegment)));
  const stored = new Set<number>();
  for await (const { name } of catalog.walFiles('history', { signal })) if (timelineOf(name) > oldest) stored.add(timelineOf(name));
  const missing: number[] = [];
  for await (const timeline of timelinesWithWal(oldest + 1, catalog, signal)) if (!stored.has(timeline)) missing.push(timeline);
  const bad = missing.slice(-readMax).map((timeline) => about(historyNameOf(timeline), judgeMissing(timeline, sync)));
  for (const timeline of [...stored].slice(-readMax)) {
    const finding = await judgeStored(timeline, () => read(timeline, signal), catalog.walKey(historyNameOf(timeline)));
    if (finding !== undefined) bad.push(about(historyNameOf(timeline), finding));
  }
  if (bad.length > 0) return bad;
  const count = stored.size === 1 ? 'the history of one timeline is' : `the histories of ${stored.size} timelines are`;
  return stored.size === 0 ? [] : [ok('history', `${count} stored and can be read`)];
}

async function* timelinesWithWal(first: number, catalog: Catalog, signal: AbortSignal): AsyncGenerator<number> {
  for (let next: number | undefined = first; next !== undefined; ) {
    const found = await firstOf(catalog.walFiles('segment', { from: historyNameOf(next).slice(0, 8) + '0'.repeat(16), signal }));
    if (found === undefined) return;
    const timeline = timelineOf(found.name);
    yield timeline;
    next = timeline + 1;
  }
}

async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

function judgeMissing(timeline: number, sync: string): Finding {
  const text = `there is WAL of timeline ${timeline}, but its history is not stored: from older base backups what was written since it was begun cannot be restored`;
  return failure(
    'history',
    text,
    'the daemon fetches it from a server in nodes that has it; where none can be asked, on the server:',
    sync,
  );
}

function timelineOf(name: string): number {
  return Number.parseInt(name.slice(0, 8), 16);
}

/** Undefined where it is as it should be. */
async function judgeStored(timeline: number, read: () => Promise<readonly TimelineSwitch[]>, key: string): Promise<Finding | undefined> {
  try {
    const newest = (await read()).at(-1);
    if (newest !== undefined && newest.timeline < timeline) return undefined;
    return damaged(`it says that timeline ${timeline} descends from ${newest?.timeline ?? 'none'}`, key);
  } catch (error) {
    if (isOperatorError(error, 'key-missing')) return note('history', `it cannot be read here: ${inWords(error)}`);
    if (!isOperatorError(error) || error.retryable) throw error;
    return damaged(inWords(error), key);
  }
}

function damaged(what: string, key: string): Finding {
  const text = `it is damaged, so that recovery cannot follow the timeline: ${what}`;
  return failure('history', text, `move ${key} away in the store: the daemon fetches it again from a server in nodes that has it`);
}
