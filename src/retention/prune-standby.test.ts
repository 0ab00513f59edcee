import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { putObject } from '../../test/support/stored-site.ts';
import { Catalog } from '../catalog/catalog.ts';
import { SiteKeys } from '../catalog/keys.ts';
import { silentLog } from '../lib/log.ts';
import { formatWalName } from '../postgres/wal-name.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import type { RetentionRules } from './decide.ts';
import { prune } from './prune.ts';

const signal = new AbortController().signal;
const hourMs = 3_600_000;
const epochMs = Date.parse('2026-01-01T00:00:00Z');
const segmentBytes = 16 * 1024 * 1024;
const runs = 60;

interface Step {
  readonly from: 'primary' | 'standby';
  /** As old versions left what they took from a standby. */
  readonly isEndless: boolean;
  readonly pauseSegments: number;
  readonly takesSegments: number;
  /** Segments by which the standby is behind the primary. */
  readonly lagSegments: number;
  /** What was written since is lost with the primary; a standby that has all that is stored goes on. */
  readonly losesWal: boolean;
  /** How many finished segments are not stored yet. */
  readonly unstored: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  from: fc.constantFrom('primary', 'standby'),
  isEndless: fc.boolean(),
  pauseSegments: fc.integer({ min: 0, max: 4 }),
  takesSegments: fc.integer({ min: 0, max: 3 }),
  lagSegments: fc.integer({ min: 0, max: 6 }),
  losesWal: fc.integer({ min: 0, max: 4 }).map((value) => value === 0),
  unstored: fc.integer({ min: 0, max: 3 }),
});

interface Backup {
  readonly timeline: number;
  readonly start: number;
  /** The last segment that it really needs. */
  readonly end: number;
}

/** A site whose base backups are taken one after the other, while segments are written, stored and lost. */
class World {
  readonly catalog = new Catalog(new MemoryStore(), new SiteKeys('site'));
  readonly backups = new Map<string, Backup>();
  readonly #completedMs = new Map<string, number>();
  #ms = epochMs;
  #timeline = 1;
  /** The segment that is being written. */
  #position = 8;
  #stored = 0;

  async step({ from, isEndless, pauseSegments, takesSegments, lagSegments, losesWal, unstored }: Step): Promise<void> {
    this.#position += pauseSegments;
    this.#ms += 24 * hourMs;
    const behind = from === 'standby' ? Math.min(lagSegments, this.#position - 1) : 0;
    const start = this.#position - behind;
    const [name, startMs] = [`b${String(this.backups.size).padStart(2, '0')}`, this.#ms];
    this.#ms += hourMs;
    this.#position += takesSegments;
    const end = from === 'standby' ? start + Math.min(takesSegments, behind) : this.#position;
    // The primary then ends the segment that it has come to.
    if (end === this.#position) this.#position++;
    this.backups.set(name, { timeline: this.#timeline, start, end });
    this.#completedMs.set(name, this.#ms);
    await putObject(this.catalog, this.catalog.keys.basebackupMain(name), {
      'start-time': new Date(startMs).toISOString(),
      'start-wal-segment': this.#segment(start),
      format: 'pghoard-bb-v2',
      ...(from === 'standby' && isEndless ? {} : { 'end-wal-segment': this.#segment(end), 'backup-from': from }),
    });
    await this.#store(this.#position - 1 - unstored);
    if (losesWal) {
      this.#timeline++;
      this.#position = Math.max(this.#stored + 1, 1);
    }
  }

  /** Names of those that can really be restored with what is stored, by where their WAL begins: a later one may be of a standby that was farther behind. */
  async restorable(): Promise<string[]> {
    const there = new Set<string>();
    for await (const { name } of this.catalog.walFiles('segment')) there.add(name);
    const kept = new Set((await this.catalog.basebackups()).entries.map(({ name }) => name));
    const isWhole = ({ timeline, start, end }: Backup) => {
      for (let number = start; number <= end; number++) if (!there.has(this.#segment(number, timeline))) return false;
      return true;
    };
    const inOrder = [...this.backups].toSorted(([, a], [, b]) => a.timeline - b.timeline || a.start - b.start);
    return inOrder.flatMap(([name, backup]) => (kept.has(name) && isWhole(backup) ? [name] : []));
  }

  async prune(rules: RetentionRules): Promise<void> {
    const { entries, unreadable } = await this.catalog.basebackups();
    const dated = entries.map((entry) => ({ ...entry, lastModified: new Date(this.#completedMs.get(entry.name) ?? 0) }));
    await prune({ entries: dated, unreadable }, rules, new Date(this.#ms), { catalog: this.catalog, log: silentLog, signal });
  }

  async #store(upTo: number): Promise<void> {
    for (; this.#stored < upTo; this.#stored++)
      await putObject(this.catalog, this.catalog.walKey(this.#segment(this.#stored + 1)), { 'original-file-size': String(segmentBytes) });
  }

  #segment(number: number, timeline = this.#timeline): string {
    return formatWalName({ timeline, number: BigInt(number) }, segmentBytes);
  }
}

const periods = fc.integer({ min: 0, max: 2 });
const rulesArbitrary: fc.Arbitrary<RetentionRules> = fc.record({
  countMax: fc.integer({ min: 1, max: 3 }),
  ageDaysMax: fc.constant(undefined),
  countMin: fc.constant(1),
  intervalHours: fc.constant(24),
  keep: fc.option(fc.record({ daily: periods, weekly: periods, monthly: periods, yearly: periods }), { nil: undefined }),
});

test('however far standbys are behind and whatever is lost: the newest base backup that can really be restored stays so', async (t) => {
  const seed = process.env['PGHOARD_TEST_SEED'];
  let lost = 0;
  const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), rulesArbitrary, async (steps, rules) => {
    const world = new World();
    for (const each of steps) {
      await world.step(each);
      const before = await world.restorable();
      await world.prune(rules);
      const after = await world.restorable();
      const newest = before.at(-1);
      if (newest !== undefined) assert.ok(after.includes(newest), `${newest} went: ${before.join()} → ${after.join()}`);
      if (after.length < before.length) lost++;
    }
  });
  const outcome = await fc.check(property, { numRuns: runs, ...(seed !== undefined && { seed: Number(seed) }) });
  t.diagnostic(`seed ${outcome.seed}`);
  if (outcome.failed) await fc.assert(property, { seed: outcome.seed, numRuns: runs });
  assert.ok(lost > runs / 10, 'old ones do go');
});
