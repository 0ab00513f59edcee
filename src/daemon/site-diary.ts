import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { inUnits } from '../lib/bytes-in-words.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { durationInWords } from '../lib/time-in-words.ts';
import type { SiteHealth } from './health/site-health.ts';

export interface SiteDiaryDeps {
  readonly site: string;
  readonly health: () => Pick<SiteHealth, 'alerts' | 'restorable'>;
  /** Of the store, as they are known; undefined until they are. */
  readonly basebackups: () => readonly Pick<BasebackupEntry, 'name' | 'startTime'>[] | undefined;
  readonly segmentBytes: () => number | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** A recovery that asks for nothing so long has ended, or waits for what the server will write. */
const recoveryQuietMs = 5 * minuteMs;

/** WAL files that went one way, one after the other. */
interface Passage {
  files: number;
  readonly first: string;
  last: string;
  readonly begunMs: number;
  lastMs: number;
}

/** Tells in the log how the hours and days of a site went, so that nobody needs a line for each WAL file. */
export class SiteDiary {
  readonly #deps: SiteDiaryDeps;
  readonly #end = new AbortController();
  #stored: Passage | undefined;
  /** Of the minute that runs, and the most of any minute of the hour. */
  #minute = { begunMs: Number.NEGATIVE_INFINITY, files: 0, filesMax: 0 };
  #served: Passage | undefined;
  #day: { readonly begin: Date; walFiles: number; basebackups: ReadonlySet<string> | undefined };

  constructor(deps: SiteDiaryDeps) {
    this.#deps = deps;
    this.#day = { begin: deps.clock.now(), walFiles: 0, basebackups: undefined };
  }

  start(): void {
    void this.#keep();
  }

  /** What was not told yet is told now. */
  close(): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.#tellStored();
    this.#tellServed();
  }

  walStored(name: string): void {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#stored = passed(this.#stored, name, nowMs);
    this.#day.walFiles++;
    if (nowMs - this.#minute.begunMs >= minuteMs) this.#minute = { ...this.#minute, begunMs: nowMs, files: 0 };
    this.#minute.files++;
    this.#minute.filesMax = Math.max(this.#minute.filesMax, this.#minute.files);
  }

  /** A recovery asked for it and has it. */
  walServed(name: string): void {
    const { site, clock, log } = this.#deps;
    const isFirst = this.#served === undefined;
    this.#served = passed(this.#served, name, clock.monotonicMs());
    if (!isFirst || this.#end.signal.aborted) return;
    log.info({ site, firstWal: name }, 'a recovery gets WAL');
    void this.#awaitQuiet();
  }

  /** By the hour, and at midnight where the daemon runs. */
  async #keep(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#end.signal.aborted) {
      const now = clock.now();
      const untilMidnightMs = nextMidnight(now).getTime() - now.getTime();
      await clock.sleep(Math.min(hourMs, untilMidnightMs), this.#end.signal).catch(() => {});
      if (this.#end.signal.aborted) return;
      this.#tellStored();
      if (clock.now() >= nextMidnight(this.#day.begin)) this.#tellDay();
      this.#day.basebackups ??= this.#names();
    }
  }

  async #awaitQuiet(): Promise<void> {
    const { clock } = this.#deps;
    while (this.#served && !this.#end.signal.aborted) {
      const quietMs = clock.monotonicMs() - this.#served.lastMs;
      if (quietMs >= recoveryQuietMs) return this.#tellServed();
      await clock.sleep(recoveryQuietMs - quietMs, this.#end.signal).catch(() => {});
    }
  }

  #tellStored(): void {
    const { site, clock, log } = this.#deps;
    const stored = this.#stored;
    if (stored === undefined) return;
    const { filesMax } = this.#minute;
    const segmentBytes = this.#deps.segmentBytes();
    const peak = segmentBytes === undefined ? '' : `, ${inUnits((filesMax * segmentBytes) / 60)}/s at most within a minute`;
    const time = durationInWords(Math.round((clock.monotonicMs() - stored.begunMs) / 1000));
    log.info(
      { site, walFiles: stored.files, firstWal: stored.first, lastWal: stored.last },
      `stored WAL of ${time}: ${count(stored.files, 'file')}${peak}`,
    );
    this.#stored = undefined;
    this.#minute = { begunMs: Number.NEGATIVE_INFINITY, files: 0, filesMax: 0 };
  }

  #tellServed(): void {
    const served = this.#served;
    if (served === undefined) return;
    const time = durationInWords(Math.round((served.lastMs - served.begunMs) / 1000));
    const fields = { site: this.#deps.site, walFiles: served.files, firstWal: served.first, lastWal: served.last };
    this.#deps.log.info(fields, `a recovery got ${count(served.files, 'WAL file')} within ${time}, and asks for no more`);
    this.#served = undefined;
  }

  #tellDay(): void {
    const { site, health, log } = this.#deps;
    const { begin, walFiles, basebackups: before } = this.#day;
    const now = this.#deps.basebackups() ?? [];
    const taken = now.filter(({ startTime }) => startTime >= begin).length;
    const deleted = [...(before ?? [])].filter((name) => !now.some((entry) => entry.name === name)).length;
    const { restorable, alerts } = health();
    const window = restorable.is
      ? `restorable from ${stamp(restorable.from)} until ${stamp(restorable.until)}`
      : `not known to be restorable: ${restorable.because}`;
    const events = `${count(taken, 'base backup')} taken, ${deleted} deleted, ${now.length} there; ${count(walFiles, 'WAL file')} stored`;
    const fields = {
      site,
      basebackupsTaken: taken,
      basebackupsDeleted: deleted,
      basebackups: now.length,
      walFiles,
      alerts: alerts.map(({ name }) => name),
    };
    log.info(fields, `${localDate(begin)}: ${events}; ${window}`);
    this.#day = this.#newDay();
  }

  #newDay() {
    return { begin: this.#deps.clock.now(), walFiles: 0, basebackups: this.#names() };
  }

  #names(): ReadonlySet<string> | undefined {
    const entries = this.#deps.basebackups();
    return entries && new Set(entries.map(({ name }) => name));
  }
}

function passed(passage: Passage | undefined, name: string, nowMs: number): Passage {
  if (passage === undefined) return { files: 1, first: name, last: name, begunMs: nowMs, lastMs: nowMs };
  return Object.assign(passage, { files: passage.files + 1, last: name, lastMs: nowMs });
}

function nextMidnight(after: Date): Date {
  const midnight = new Date(after);
  midnight.setHours(24, 0, 0, 0);
  return midnight;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

function stamp(moment: Date | undefined): string {
  return moment === undefined ? 'unknown' : moment.toISOString().replace(/\.\d+Z$/, 'Z');
}

function localDate(moment: Date): string {
  const two = (part: number) => String(part).padStart(2, '0');
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}
