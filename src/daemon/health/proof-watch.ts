import type { BasebackupListing, Catalog } from '../../catalog/catalog.ts';
import { fingerprintOf } from '../../catalog/evidence/fingerprint.ts';
import { type Evidence, EvidenceReader } from '../../catalog/evidence/read-evidence.ts';
import type { WalEvidence } from '../../catalog/evidence/verify-evidence.ts';
import type { NamedPlace, WalTimes } from '../../catalog/recoverability/facts.ts';
import { newestUnfinished, type UnfinishedBasebackup } from '../../catalog/unfinished-basebackups.ts';
import type { WalArchiveView } from '../../catalog/wal-archive-view.ts';
import { explain, isOperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { parseLsn } from '../../postgres/lsn.ts';
import { formatWalName } from '../../postgres/wal-name.ts';
import type { PlacedRestorePoint } from '../../wal/index/activity-buckets.ts';
import type { SegmentTimes } from '../../wal/index/read-wal-times.job.ts';
import { noKnowledge, type RecoverabilityKnowledge } from './health-view.ts';
import { beginOfTimeline, wantedTimes } from './wanted-times.ts';

export interface ProofWatchDeps {
  readonly site: string;
  readonly catalog: Catalog;
  /** Whenever the base backups have been listed anew, the rest is looked at anew, too. */
  readonly listing: () => BasebackupListing | undefined;
  readonly archive: () => WalArchiveView | string | undefined;
  /** What the indexes tell of these segments. */
  readonly readTimes: (
    names: readonly string[],
    segmentBytes: number,
    signal: AbortSignal,
  ) => Promise<readonly (SegmentTimes | undefined)[]>;
  readonly readRestorePoints: (signal: AbortSignal) => Promise<readonly PlacedRestorePoint[]>;
  readonly log: Log;
}

/** Looked at again one by one; `verify` finds the others. */
const corruptMax = 100;

/** What is in the store beside backups and WAL, and tells what these are good for: evidence, the times of WAL, base backups that are not complete. */
export class ProofWatch {
  readonly #deps: ProofWatchDeps;
  readonly #evidence: EvidenceReader;
  #listing: BasebackupListing | undefined;
  #knowledge = noKnowledge;
  readonly #times = new Map<string, SegmentTimes>();
  #told = '';

  constructor(deps: ProofWatchDeps) {
    this.#deps = deps;
    this.#evidence = new EvidenceReader(deps.catalog);
  }

  get knowledge(): RecoverabilityKnowledge {
    return this.#knowledge;
  }

  /** Does what is due. What cannot be read now stays as it was, and is tried again with the next listing. */
  async look(signal: AbortSignal): Promise<void> {
    const { listing, archive, site, log } = this.#deps;
    const [current, view] = [listing(), archive()];
    // Times are of what is stored, which takes a moment longer to be known.
    if (current === undefined || current === this.#listing || typeof view === 'string') return;
    this.#listing = current;
    try {
      const evidence = await this.#stillTrue(await this.#evidence.read(signal), view, signal);
      const unfinished = await this.#unfinished(current, signal);
      this.#knowledge = { ...this.#knowledge, evidence, unfinished };
      if (view !== undefined) {
        this.#knowledge = { ...this.#knowledge, times: await this.#readTimes(view, signal) };
        this.#knowledge = { ...this.#knowledge, restorePoints: await this.#readRestorePoints(signal) };
      }
      this.#told = '';
    } catch (error) {
      const because = explain(error);
      // Where the private key is elsewhere the server's own times are enough.
      if (!signal.aborted && because !== this.#told && !isOperatorError(error, 'key-missing'))
        log.warn({ site }, `what was proven of the site cannot be read: ${because}`);
      this.#told = because;
    }
  }

  #unfinished({ entries }: BasebackupListing, signal: AbortSignal): Promise<readonly UnfinishedBasebackup[]> {
    const newest = entries.map(({ name }) => name).reduce((last, name) => (name > last ? name : last), '');
    return newestUnfinished(this.#deps.catalog, newest, signal);
  }

  /** A damaged segment in whose place there is another object now is not known to be damaged. */
  async #stillTrue(evidence: Evidence, view: WalArchiveView | undefined, signal: AbortSignal): Promise<Evidence> {
    const corrupt = evidence.verify.flatMap((each) => (each.kind === 'wal' ? each.runs.filter(({ result }) => result === 'corrupt') : []));
    if (corrupt.length === 0 || view === undefined) return evidence;
    const mended = new Set<string>();
    for (const { from, fingerprint } of corrupt.slice(-corruptMax)) {
      const stored = await this.#deps.catalog.findWal(from, signal);
      if (stored === undefined || fingerprintOf(stored) !== fingerprint) mended.add(from);
    }
    if (mended.size === 0) return evidence;
    const without = (each: WalEvidence) => ({
      ...each,
      runs: each.runs.filter(({ from, result }) => result === 'sound' || !mended.has(from)),
    });
    return { ...evidence, verify: evidence.verify.map((each) => (each.kind === 'wal' ? without(each) : each)) };
  }

  async #readRestorePoints(signal: AbortSignal): Promise<readonly NamedPlace[]> {
    const found = await this.#deps.readRestorePoints(signal);
    return found.map(({ name, timeline, lsn, timeMs }) => ({ name, timeline, lsn: parseLsn(lsn), time: new Date(timeMs) }));
  }

  async #readTimes(view: WalArchiveView, signal: AbortSignal): Promise<WalTimes> {
    const { segmentBytes } = view;
    const wanted = wantedTimes(view);
    const names = [...wanted].filter((name) => !this.#times.has(name));
    const read = names.length === 0 ? [] : await this.#deps.readTimes(names, segmentBytes, signal);
    for (const name of this.#times.keys()) if (!wanted.has(name)) this.#times.delete(name);
    for (const [index, name] of names.entries()) {
      const found = read[index];
      if (found !== undefined) this.#times.set(name, found);
    }
    const times = new Map(this.#times);
    const ofBegin = (timeline: number) => times.get(beginOfTimeline(timeline, view) ?? '');
    return {
      lastCommit: (segment) => dateOf(times.get(formatWalName(segment, segmentBytes))?.lastMs),
      lastBefore: (timeline) => dateOf(ofBegin(timeline)?.beforeMs),
      beginOf: (timeline) => dateOf(ofBegin(timeline)?.begunMs),
    };
  }
}

function dateOf(ms: number | undefined): Date | undefined {
  return ms === undefined ? undefined : new Date(ms);
}
