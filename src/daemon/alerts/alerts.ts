import type { DaemonConfig } from '../../config/load.ts';
import type { Clock } from '../../lib/clock.ts';
import { explain } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Alert, Moment } from './alert.ts';
import type { AlertName } from './alert-catalogue.ts';
import { AlertEntry, type AlertTiming, doubtMsMax } from './alert-entry.ts';
import { alertEvent, type BasebackupReport, basebackupEvent, type Teller } from './alert-event.ts';
import { AlertFiles } from './alert-files.ts';
import { AlertMemory } from './alert-memory.ts';
import type { ChannelView } from './channel.ts';
import { Channels } from './channels.ts';
import type { AlertOptions } from './options.ts';

export interface AlertsDeps {
  readonly directory: string;
  readonly host: string;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export type AlertSettings = Pick<DaemonConfig, 'alerts' | 'alert_file_dir' | 'backup_location' | 'backup_sites'>;

/** For `/status`. */
export interface AlertingView {
  readonly channels: readonly ChannelView[];
  /** Why alert files are not as they should be. */
  readonly files: string | null;
}

const beatMs = 1_000;
/** Before something that could not be written is tried again. */
const retryBeats = 30;

/**
 * What is wrong now, and everybody who is told of it: a file per alert in `alert_file_dir`, as long as at least one site has the trouble, and events for webhooks
 * and commands. Nothing here rejects or waits for anybody: who finds something wrong has other things to do.
 */
export class Alerts {
  readonly #deps: AlertsDeps;
  readonly #entries = new Map<string, AlertEntry>();
  readonly #files: AlertFiles;
  readonly #memory: AlertMemory;
  readonly #channels: Channels;
  readonly #end = new AbortController();
  /** Files that were there before anybody knew why, and until when they are left. */
  #left = new Set<AlertName>();
  #leftUntilMs = 0;
  #settings: AlertSettings | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(deps: AlertsDeps) {
    this.#deps = deps;
    const { directory, clock, random, log } = deps;
    this.#files = new AlertFiles(directory, log);
    this.#memory = new AlertMemory(log);
    this.#channels = new Channels({ clock, random, log, onChange: () => this.#save(), saved: () => this.#memory.settled() });
  }

  get active(): readonly Alert[] {
    return [...this.#entries.values()].filter(({ isActive }) => isActive).map(({ view }) => view);
  }

  get view(): AlertingView {
    return { channels: this.#channels.view, files: this.#files.trouble ?? null };
  }

  /** Takes up what an earlier life left. Before anything is raised. */
  async begin(settings: AlertSettings): Promise<void> {
    this.#settings = settings;
    this.#memory.move(settings.backup_location);
    const { alerts, outboxes } = await this.#memory.read();
    const at = this.#moment();
    for (const saved of alerts) {
      const entry = AlertEntry.restore(saved, at);
      if (entry) this.#entries.set(keyOf(entry.name, entry.site), entry);
    }
    const remembered = new Set([...this.#entries.values()].map(({ name }) => name));
    this.#left = new Set((await this.#files.found()).filter((name) => !remembered.has(name)));
    this.#leftUntilMs = at.monotonicMs + doubtMsMax;
    this.#introduce(await this.#channels.follow(settings, outboxes));
    this.#forgetOtherSites();
    await this.#changed();
    this.#running = this.#run();
  }

  /** Goes over to other settings. */
  async follow(settings: AlertSettings): Promise<void> {
    this.#settings = settings;
    this.#memory.move(settings.backup_location);
    this.#forgetOtherSites();
    this.#advance();
    this.#introduce(await this.#channels.follow(settings));
    await this.#files.move(settings.alert_file_dir);
    await this.#changed();
  }

  /** `site` null: the daemon as a whole. Of several `source`s each clears what it raised. Resolves once the file is there, or cannot be. */
  async raise(name: AlertName, site: string | null, because: string, source = ''): Promise<void> {
    const at = this.#moment();
    const entry = this.#entries.get(keyOf(name, site)) ?? new AlertEntry(name, site, at);
    this.#entries.set(keyOf(name, site), entry);
    const before = entry.view.because;
    const isNew = entry.raise(source, because, at);
    if (isNew) this.#deps.log.error({ alert: name, ...(site !== null && { site }) }, because);
    if (isNew || entry.view.because !== before) await this.#changed();
  }

  isRaised(name: AlertName, site: string | null): boolean {
    return this.#entries.get(keyOf(name, site))?.isActive ?? false;
  }

  /** Also removes what an earlier process left behind. */
  async clear(name: AlertName, site: string | null, source = ''): Promise<void> {
    const entry = this.#entries.get(keyOf(name, site));
    if (entry?.clear(source, this.#moment()) === true) this.#tellGone(entry);
    else if (!this.#left.has(name)) return;
    this.#left.delete(name);
    await this.#changed();
  }

  /** What one part of a site, called `source`, raises and clears, while others may have causes of their own for the same alert. */
  from(source: string): Pick<Alerts, 'raise' | 'clear' | 'isRaised'> {
    return {
      isRaised: (name, site) => this.isRaised(name, site),
      raise: (name, site, because) => this.raise(name, site, because, source),
      clear: (name, site) => this.clear(name, site, source),
    };
  }

  /** What was wrong with a site was found by something that is no more; what takes its place finds out anew. */
  doubt(site: string): void {
    for (const entry of this.#entries.values()) if (entry.site === site) entry.doubt(this.#moment());
  }

  basebackupEnded(site: string, report: BasebackupReport): void {
    this.#channels.add(basebackupEvent(site, report, this.#teller()));
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#running;
    await this.#channels.close();
    this.#save();
    await this.#memory.settled();
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    for (let beat = 1; !this.#end.signal.aborted; beat++) {
      await clock.sleep(beatMs, this.#end.signal).catch(() => {});
      try {
        this.#advance();
        this.#leaveOldFiles();
        if (beat % retryBeats === 0) await this.#tryAgain();
      } catch (error) {
        log.error({}, `a look at the alerts failed: ${explain(error)}`);
      }
    }
  }

  /** What a site has that is no more, or that nobody works on, is gone with it. */
  #forgetOtherSites(): void {
    const sites = this.#settings?.backup_sites ?? {};
    for (const entry of this.#entries.values()) {
      if (entry.site === null || sites[entry.site]?.active === true) continue;
      if (entry.clearAll(this.#moment())) this.#tellGone(entry);
    }
  }

  /** Who is new hears of what the others know. */
  #introduce(channels: ReadonlySet<string>): void {
    if (channels.size === 0) return;
    for (const { isTold, view } of this.#entries.values())
      if (isTold) this.#channels.add(alertEvent('alert.raised', view, this.#teller()), channels);
  }

  #advance(): void {
    const at = this.#moment();
    for (const [key, entry] of this.#entries) {
      if (entry.isStale(at) && entry.clearAll(at)) {
        this.#tellGone(entry);
        void this.#changed();
      }
      const kind = entry.due(timingOf(this.#optionsOf(entry.site)), at);
      if (kind !== undefined) this.#channels.add(alertEvent(kind, entry.view, this.#teller()));
      if (entry.isOver(at)) this.#entries.delete(key);
    }
  }

  async #changed(): Promise<void> {
    this.#advance();
    this.#save();
    await this.#keepFiles();
  }

  /** As long as nobody has looked, a file that was there may be right. */
  #leaveOldFiles(): void {
    if (this.#left.size === 0 || this.#deps.clock.monotonicMs() < this.#leftUntilMs) return;
    this.#left.clear();
    void this.#keepFiles();
  }

  async #tryAgain(): Promise<void> {
    if (this.#files.trouble !== undefined) await this.#keepFiles();
    if (this.#memory.trouble !== undefined) this.#save();
  }

  #keepFiles(): Promise<void> {
    return this.#files.keep(new Set([...this.#left, ...this.active.map(({ name }) => name)]));
  }

  #save(): void {
    const at = this.#moment();
    this.#memory.save(() => ({
      alerts: [...this.#entries.values()].map((entry) => entry.save(at)),
      outboxes: this.#channels.outboxes,
    }));
  }

  #tellGone({ name, site }: AlertEntry): void {
    this.#deps.log.info({ alert: name, ...(site !== null && { site }) }, 'the cause of an alert is gone');
  }

  #optionsOf(site: string | null): AlertOptions | undefined {
    return (site === null ? undefined : this.#settings?.backup_sites[site]?.alerts) ?? this.#settings?.alerts;
  }

  #moment(): Moment {
    const { clock } = this.#deps;
    return { now: clock.now(), monotonicMs: clock.monotonicMs() };
  }

  #teller(): Teller {
    const { host, version, clock, random } = this.#deps;
    return { id: random.hex(16), at: clock.now(), host, version };
  }
}

function keyOf(name: AlertName, site: string | null): string {
  return JSON.stringify([name, site]);
}

function timingOf(options: AlertOptions | undefined): AlertTiming {
  if (options === undefined) return { afterMs: Number.POSITIVE_INFINITY, settleMs: 0, repeatMs: undefined };
  const { after_seconds: after, settle_seconds: settle, repeat_hours: repeat } = options;
  return { afterMs: after * 1000, settleMs: settle * 1000, repeatMs: repeat === null ? undefined : repeat * 3_600_000 };
}
