import type { Catalog } from '../../catalog/catalog.ts';
import type { DrillEvidence } from '../../catalog/evidence/drill-evidence.ts';
import { EvidenceReader } from '../../catalog/evidence/read-evidence.ts';
import type { Clock } from '../../lib/clock.ts';
import { explain, messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { durationInWords } from '../../lib/time-in-words.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { Schedule } from '../schedule.ts';
import type { HoldDrill } from './drill-process.ts';
import { againMs, drillTroubles, nextDrill } from './drill-schedule.ts';

export interface SiteDrillsDeps {
  readonly site: string;
  readonly configFile: string;
  readonly schedule: Schedule;
  readonly catalog: Catalog;
  /** Whether it is for this daemon to hold them. */
  readonly isOwn: () => boolean;
  /** Whether anything is claimed that could be shown. */
  readonly isRestorable: () => boolean;
  readonly isMaintenance: () => Promise<boolean>;
  readonly hold: HoldDrill;
  /** There may be new evidence. */
  readonly onHeld: () => void;
  readonly alerts: Pick<Alerts, 'raise' | 'clear'>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
}

const lookMs = 5_000;
/** So often the store is asked what was shown by others. */
const recallMs = 3_600_000;

/** Has restore drills held when they are due, and tells what they have shown. */
export class SiteDrills {
  readonly #deps: SiteDrillsDeps;
  readonly #reader: EvidenceReader;
  readonly #end = new AbortController();
  readonly #since: Date;
  #running: Promise<void> = Promise.resolve();
  #drills: readonly DrillEvidence[] = [];
  #recalledAtMs = Number.NEGATIVE_INFINITY;
  /** Where one could not even be begun. */
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(deps: SiteDrillsDeps) {
    this.#deps = deps;
    this.#reader = new EvidenceReader(deps.catalog);
    this.#since = deps.clock.now();
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log, site } = this.#deps;
    const { signal } = this.#end;
    while (!signal.aborted) {
      await this.#look().catch((error: unknown) => {
        if (!signal.aborted) log.warn({ site }, `restore drills: ${explain(error)}`);
        this.#notBeforeMs = clock.monotonicMs() + recallMs;
      });
      await clock.sleep(lookMs, signal).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const { clock, isOwn, isRestorable, isMaintenance, schedule } = this.#deps;
    if (!isOwn()) return this.#forget();
    if (clock.monotonicMs() - this.#recalledAtMs >= recallMs) await this.#recall();
    const due = nextDrill(schedule, this.#drills, clock.now());
    const isDue = due !== undefined && due <= clock.now() && clock.monotonicMs() >= this.#notBeforeMs;
    if (isDue && isRestorable() && !(await isMaintenance())) await this.#hold();
  }

  /** Another daemon tells now. */
  async #forget(): Promise<void> {
    if (this.#recalledAtMs === Number.NEGATIVE_INFINITY) return;
    const { alerts, site } = this.#deps;
    this.#recalledAtMs = Number.NEGATIVE_INFINITY;
    await alerts.clear('restore_drill_failed', site);
    await alerts.clear('restore_drill_overdue', site);
  }

  async #recall(): Promise<void> {
    this.#recalledAtMs = this.#deps.clock.monotonicMs();
    this.#drills = (await this.#reader.read(this.#end.signal)).drills;
    await this.#tell();
  }

  async #hold(): Promise<void> {
    const { hold, site, configFile, clock, schedule, log, metrics } = this.#deps;
    const { signal } = this.#end;
    log.info({ site }, 'a restore drill begins');
    try {
      const evidence = await hold(site, configFile, signal);
      this.#logOutcome(evidence);
      metrics.increase('pghoard.restore_drills', 1, { site, result: evidence.result });
      metrics.gauge('pghoard.restore_drill_duration_seconds', evidence.duration_seconds, { site });
    } catch (error) {
      signal.throwIfAborted();
      this.#notBeforeMs = clock.monotonicMs() + againMs((schedule.intervalHours ?? 1) * 3_600_000);
      metrics.increase('pghoard.restore_drills', 1, { site, result: 'impossible' });
      log.warn({ site }, `a restore drill could not be held: ${messageOf(error)}`);
    }
    this.#deps.onHeld();
    await this.#recall();
  }

  #logOutcome({ result, because, basebackup, duration_seconds, replayed_to: replayed }: DrillEvidence): void {
    const { log, site } = this.#deps;
    const words = { passed: 'passed', failed: 'FAILED', impossible: 'could not be held' }[result];
    const reached = replayed === null ? '' : `, recovered to ${replayed.time ?? replayed.lsn}`;
    const text = `restore drill ${words} after ${durationInWords(Math.round(duration_seconds))}${reached}${because === null ? '' : `: ${because}`}`;
    if (result === 'passed') log.info({ site, basebackup }, text);
    else log.error({ site, basebackup }, text);
  }

  async #tell(): Promise<void> {
    const { alerts, site, schedule, clock, metrics } = this.#deps;
    const { failed, overdue } = drillTroubles(schedule, this.#drills, this.#since, clock.now());
    await (failed === undefined ? alerts.clear('restore_drill_failed', site) : alerts.raise('restore_drill_failed', site, failed));
    await (overdue === undefined ? alerts.clear('restore_drill_overdue', site) : alerts.raise('restore_drill_overdue', site, overdue));
    const passed = this.#drills.findLast(({ result }) => result === 'passed');
    if (passed)
      metrics.gauge('pghoard.restore_drill_passed_age_seconds', (clock.now().getTime() - Date.parse(passed.begun_at)) / 1000, { site });
  }
}
