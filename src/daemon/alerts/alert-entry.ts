import type { Alert, Moment } from './alert.ts';
import { type AlertName, alertKinds, isAlertName } from './alert-catalogue.ts';
import type { AlertEventKind } from './alert-event.ts';

/** When people hear of an alert. */
export interface AlertTiming {
  /** It must have been there for so long. */
  readonly afterMs: number;
  /** It must have been gone for so long, and longer if it came and went before. */
  readonly settleMs: number;
  /** How often they are reminded while it is there; undefined: never. */
  readonly repeatMs: number | undefined;
}

/** What is kept of an alert over a restart. */
export interface SavedAlert {
  readonly name: string;
  readonly site: string | null;
  readonly since: string;
  readonly because: string;
  /** When people heard last that it is there; null: they do not know, or know that it is gone. */
  readonly told: string | null;
  /** False: gone, and not told yet. */
  readonly active: boolean;
  readonly raised: readonly string[];
}

const hourMs = 3_600_000;
/** What comes so often in an hour is told though it never stays. */
const timesToTell = 3;
/** More are not counted. */
const timesMax = 20;
const settleMsMax = 1_800_000;
/** How long it is believed that what an earlier life, or other settings, found wrong still is. */
export const doubtMsMax = 600_000;
/** Who said so in an earlier life is not known. */
const earlier = Symbol('earlier');

/** One alert of one site, from when it first comes until it is forgotten: who says that it is there, and what people know of it. */
export class AlertEntry {
  readonly name: AlertName;
  readonly site: string | null;
  readonly #causes = new Map<string | symbol, string>();
  #since: Date;
  #because = '';
  #changedMs: number;
  #toldMs: number | undefined;
  #doubtedMs = Number.POSITIVE_INFINITY;
  #raisedMs: number[] = [];

  constructor(name: AlertName, site: string | null, at: Moment) {
    this.name = name;
    this.site = site;
    this.#since = at.now;
    this.#changedMs = at.monotonicMs;
  }

  static restore(saved: SavedAlert, at: Moment): AlertEntry | undefined {
    if (!isAlertName(saved.name)) return undefined;
    // A clock that was set back must not make anything lie in the future.
    const ageMs = (time: string) => Math.max(0, at.now.getTime() - Date.parse(time));
    const entry = new AlertEntry(saved.name, saved.site, at);
    entry.#since = new Date(saved.since);
    entry.#because = saved.because;
    entry.#toldMs = saved.told === null ? undefined : at.monotonicMs - ageMs(saved.told);
    entry.#raisedMs = saved.raised.map((time) => at.monotonicMs - ageMs(time));
    if (saved.active) entry.#causes.set(earlier, saved.because);
    entry.#doubtedMs = at.monotonicMs;
    return entry;
  }

  get isActive(): boolean {
    return this.#causes.size > 0;
  }

  /** People know that it is there. */
  get isTold(): boolean {
    return this.#toldMs !== undefined;
  }

  get view(): Alert {
    const { name, site } = this;
    const because = [...new Set(this.#causes.values())].join('; ') || this.#because;
    return { name, site, ...alertKinds[name], since: this.#since, because, times: Math.max(1, this.#raisedMs.length) };
  }

  /** Tells whether that is news. */
  raise(source: string, because: string, at: Moment): boolean {
    const isNew = !this.isActive;
    if (isNew) {
      this.#changedMs = at.monotonicMs;
      this.#raisedMs = [...this.#raisedMs, at.monotonicMs].slice(-timesMax);
      // As long as nobody was told that it is gone, it is the same one.
      if (this.#toldMs === undefined) this.#since = at.now;
    }
    this.#causes.delete(earlier);
    this.#causes.set(source, because);
    this.#because = because;
    return isNew;
  }

  /** Tells whether it was there and is gone now. */
  clear(source: string, at: Moment): boolean {
    const wasActive = this.isActive;
    this.#causes.delete(earlier);
    this.#causes.delete(source);
    return this.#wentFrom(wasActive, at);
  }

  clearAll(at: Moment): boolean {
    const wasActive = this.isActive;
    this.#causes.clear();
    return this.#wentFrom(wasActive, at);
  }

  /** Whoever said so is no more; somebody else will, or it is gone. */
  doubt(at: Moment): void {
    if (!this.isActive) return;
    this.#causes.clear();
    this.#causes.set(earlier, this.#because);
    this.#doubtedMs = at.monotonicMs;
  }

  /** Nobody said so for too long. */
  isStale(at: Moment): boolean {
    return this.#causes.has(earlier) && at.monotonicMs - this.#doubtedMs >= doubtMsMax;
  }

  /** What people are to hear now, from then on taken for told. */
  due(timing: AlertTiming, at: Moment): AlertEventKind | undefined {
    const kind = this.#kindDue(timing, at);
    if (kind !== undefined) this.#toldMs = kind === 'alert.cleared' ? undefined : at.monotonicMs;
    return kind;
  }

  /** Nothing is left to be said or remembered of it. Also lets go of what is long past. */
  isOver(at: Moment): boolean {
    this.#raisedMs = this.#raisedMs.filter((raisedMs) => at.monotonicMs - raisedMs < hourMs);
    return !this.isActive && this.#toldMs === undefined && this.#raisedMs.length === 0;
  }

  save(at: Moment): SavedAlert {
    const timeOf = (monotonicMs: number) => new Date(at.now.getTime() - (at.monotonicMs - monotonicMs)).toISOString();
    return {
      name: this.name,
      site: this.site,
      since: this.#since.toISOString(),
      because: this.view.because,
      told: this.#toldMs === undefined ? null : timeOf(this.#toldMs),
      active: this.isActive,
      raised: this.#raisedMs.map(timeOf),
    };
  }

  #wentFrom(wasActive: boolean, at: Moment): boolean {
    if (!wasActive || this.isActive) return false;
    this.#changedMs = at.monotonicMs;
    return true;
  }

  #kindDue({ afterMs, settleMs, repeatMs }: AlertTiming, at: Moment): AlertEventKind | undefined {
    const ageMs = at.monotonicMs - this.#changedMs;
    const times = this.#raisedMs.length;
    if (!this.isActive) {
      const quietMs = Math.max(settleMs, Math.min(settleMs * 2 ** Math.max(0, times - 1), settleMsMax));
      return this.#toldMs !== undefined && ageMs >= quietMs ? 'alert.cleared' : undefined;
    }
    if (this.#toldMs === undefined) return ageMs >= afterMs || times >= timesToTell ? 'alert.raised' : undefined;
    return repeatMs !== undefined && at.monotonicMs - this.#toldMs >= repeatMs ? 'alert.reminder' : undefined;
  }
}
