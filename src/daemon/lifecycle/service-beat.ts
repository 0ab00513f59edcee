import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { ServiceManager } from './service-manager.ts';

export interface ServiceBeatDeps {
  readonly manager: ServiceManager;
  readonly status: () => string;
  /** What does not go on any more, and would after a restart; undefined: everything does. */
  readonly hanging: () => string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

const beatMsMax = 10_000;
/** A beat that comes late must not cost the service its life. */
const extensionMs = 3 * beatMsMax;

/**
 * Keeps systemd informed: that the daemon lives, and how it is. What hangs so that only a restart helps is left to systemd, which restarts a service whose
 * watchdog is not fed.
 */
export class ServiceBeat {
  readonly #deps: ServiceBeatDeps;
  readonly #end = new AbortController();
  #beating: Promise<void> = Promise.resolve();
  #isDraining = false;
  #told: string | undefined;
  #hanging: string | undefined;
  #fedAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: ServiceBeatDeps) {
    this.#deps = deps;
  }

  /** The service is up. */
  async start(): Promise<void> {
    if (!this.#deps.manager.isListening) return;
    await this.#ready();
    this.#beating = this.#run();
  }

  async whileReloading(reload: () => Promise<void>): Promise<void> {
    await this.#deps.manager.reloading();
    try {
      await reload();
    } finally {
      await this.#ready();
    }
  }

  /** From now on systemd waits for the end, as long as there are beats. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    await this.#deps.manager.stopping('stopping: what is under way is finished', extensionMs);
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#beating;
  }

  async #ready(): Promise<void> {
    if (this.#isDraining) return;
    this.#told = this.#deps.status();
    await this.#deps.manager.ready(this.#told);
  }

  async #run(): Promise<void> {
    const { manager, clock } = this.#deps;
    const everyMs = Math.min(beatMsMax, (manager.watchdogMs ?? Number.POSITIVE_INFINITY) / 2);
    while (!this.#end.signal.aborted) {
      await (this.#isDraining ? manager.extend(extensionMs) : this.#beat(everyMs));
      await clock.sleep(everyMs, this.#end.signal).catch(() => {});
    }
  }

  async #beat(everyMs: number): Promise<void> {
    const { manager, status, hanging, clock, log } = this.#deps;
    const hangs = hanging();
    if (hangs !== undefined && hangs !== this.#hanging) log.error({}, `systemd is not told any more that pghoard lives: ${hangs}`);
    this.#hanging = hangs;
    const nowMs = clock.monotonicMs();
    const isFed = hangs === undefined && isFeedingTime(nowMs - this.#fedAtMs, everyMs, manager.watchdogMs);
    if (isFed) this.#fedAtMs = nowMs;
    const text = hangs === undefined ? status() : `HANGS: ${hangs}`;
    await manager.tell({ isAlive: isFed, status: text === this.#told ? undefined : text });
    this.#told = text;
  }
}

/** Half of the time that systemd grants is over, or would be soon after. */
export function isFeedingTime(sinceMs: number, everyMs: number, watchdogMs: number | undefined): boolean {
  return watchdogMs !== undefined && sinceMs >= (watchdogMs - everyMs) / 2;
}
