import type { Clock } from '../lib/clock.ts';
import { isOperatorError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { findProgram, ProgramSearch } from '../postgres/programs.ts';
import { majorOf } from '../postgres/versions.ts';
import type { Alerts } from './alerts/alerts.ts';
import type { SiteProgram } from './site-programs.ts';

export interface ProgramWatchDeps {
  readonly site: string;
  /** Those that the site runs, and where each is looked for. */
  readonly programs: readonly (readonly [name: SiteProgram, place: Omit<ProgramSearch, 'major'>])[];
  /** Of the server, as far as it is known. */
  readonly pgVersion: () => number | undefined;
  readonly alerts: Pick<Alerts, 'raise' | 'clear'>;
  readonly find: typeof findProgram;
  readonly clock: Clock;
  readonly log: Log;
}

const lookMs = 300_000;
/** Somebody may be about to mend it. */
const lookMsWhileWrong = 15_000;

const purposes: Readonly<Record<SiteProgram, string>> = {
  pg_basebackup: 'no base backup can be taken',
  pg_receivewal: 'WAL cannot be received',
};

/** Tells of programs of PostgreSQL that are too old for the server (`version_mismatch_error`) when that becomes so, not when they are needed, until it is mended. */
export class ProgramWatch {
  readonly #deps: ProgramWatchDeps;
  readonly #end = new AbortController();
  #wake = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(deps: ProgramWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** The server has another version, or something that needs the programs has failed. */
  lookAgain(): void {
    this.#wake.abort();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log, site } = this.#deps;
    while (!this.#end.signal.aborted) {
      this.#wake = new AbortController();
      const isWrong = await this.#look().catch((error: unknown) => {
        log.error({ site }, `the programs of PostgreSQL cannot be looked at: ${messageOf(error)}`);
        return true;
      });
      const woken = AbortSignal.any([this.#end.signal, this.#wake.signal]);
      await clock.sleep(isWrong ? lookMsWhileWrong : lookMs, woken).catch(() => {});
    }
  }

  /** Resolves to whether any is too old. As long as nobody knows the server's version, what was told stands. */
  async #look(): Promise<boolean> {
    const { alerts, programs, site } = this.#deps;
    const pgVersion = this.#deps.pgVersion();
    if (pgVersion === undefined && programs.length > 0) return false;
    const wrong: string[] = [];
    for (const [name, place] of programs) {
      const because = await this.#tooOld(name, { ...place, major: majorOf(pgVersion ?? 0) });
      if (because !== undefined) wrong.push(`${purposes[name]}: ${because}`);
    }
    if (this.#end.signal.aborted) return false;
    await (wrong.length > 0
      ? alerts.raise('version_mismatch_error', site, wrong.join('; '))
      : alerts.clear('version_mismatch_error', site));
    return wrong.length > 0;
  }

  /** One that is missing altogether is told of where it is needed. */
  async #tooOld(name: SiteProgram, where: ProgramSearch): Promise<string | undefined> {
    try {
      await this.#deps.find(name, where);
      return undefined;
    } catch (error) {
      if (isOperatorError(error, 'program-too-old')) return messageOf(error);
      if (isOperatorError(error)) return undefined;
      throw error;
    }
  }
}
