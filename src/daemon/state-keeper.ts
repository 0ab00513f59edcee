import { readFile } from 'node:fs/promises';
import type { Clock } from '../lib/clock.ts';
import { explain } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { countFailure, type Metrics } from '../lib/metrics.ts';
import { type DaemonState, writeStateFile } from './state-file.ts';

export interface StateKeeperDeps {
  /** `json_state_file_path` as it is now. */
  readonly file: () => string;
  readonly state: () => DaemonState;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
}

const everyMs = 5_000;

/** Keeps the state file as the daemon is. */
export class StateKeeper {
  readonly #deps: StateKeeperDeps;
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(deps: StateKeeperDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  /** The state file as it is. */
  read(): Promise<Buffer> {
    return readFile(this.#deps.file());
  }

  /** Never rejects: a state file that cannot be written must not stop backups. */
  async write(): Promise<void> {
    const { state, metrics, log } = this.#deps;
    const file = this.#deps.file();
    try {
      await writeStateFile(file, state());
    } catch (error) {
      countFailure(metrics, 'write_persisted_progress', error);
      log.error({ file }, `cannot write the state file: ${explain(error)}`);
    }
  }

  async #run(): Promise<void> {
    while (!this.#end.signal.aborted) {
      await this.#deps.clock.sleep(everyMs, this.#end.signal).catch(() => {});
      await this.write();
    }
  }
}
