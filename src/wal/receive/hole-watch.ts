import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { forgetHole, readHole, writeHole } from './hole-record.ts';
import type { WalHole } from './receiver.ts';

export interface HoleWatchDeps {
  readonly site: string;
  readonly directory: string;
  readonly hasBackupSince: (moment: Date) => boolean | undefined;
  readonly onGap: (because: string | undefined) => void;
  readonly requestBasebackup: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Keeps a hole in mind until a base backup from after it is complete, and asks for that backup. */
export class HoleWatch {
  readonly #deps: HoleWatchDeps;
  readonly #rejected: () => readonly string[];
  #hole: WalHole | undefined;
  #isRequested = false;
  /** What was told last; null before anything was. */
  #told: string | undefined | null = null;

  constructor(deps: HoleWatchDeps, rejected: () => readonly string[]) {
    this.#deps = deps;
    this.#rejected = rejected;
  }

  get hole(): WalHole | undefined {
    return this.#hole;
  }

  /** Reads what an earlier process wrote down. */
  async remember(): Promise<void> {
    this.#hole = await readHole(this.#deps.directory, this.#deps.clock.now());
  }

  async add(hole: WalHole): Promise<void> {
    const { directory, log, site } = this.#deps;
    // One that is still open reaches from its beginning to the end of this one.
    this.#hole = this.#hole === undefined ? hole : { ...hole, from: this.#hole.from };
    this.#isRequested = false;
    await writeHole(directory, this.#hole);
    log.error({ site, from: hole.from, to: hole.to }, `${inWords(this.#hole)}; receiving goes on behind it`);
  }

  /** A backup is worth taking only once WAL arrives again. */
  async check(isReceiving: boolean): Promise<void> {
    if (this.#hole !== undefined) await this.#checkHole(this.#hole, isReceiving);
    const because = this.#inWords();
    if (because === this.#told) return;
    this.#told = because;
    this.#deps.onGap(because);
  }

  async #checkHole(hole: WalHole, isReceiving: boolean): Promise<void> {
    const { directory, hasBackupSince, requestBasebackup, log, site } = this.#deps;
    const isHarmless = hasBackupSince(hole.noticed);
    if (isHarmless) {
      await forgetHole(directory);
      this.#hole = undefined;
      log.info({ site, ...hole }, 'a base backup from after the hole in the WAL is complete');
    } else if (isHarmless === false && isReceiving && !this.#isRequested) {
      this.#isRequested = true;
      requestBasebackup();
    }
  }

  #inWords(): string | undefined {
    const rejected = this.#rejected();
    const parts = [
      ...(this.#hole === undefined ? [] : [inWords(this.#hole)]),
      ...(rejected.length === 0 ? [] : [`${rejected.length} received WAL files were set aside: ${rejected.slice(0, 5).join(', ')}`]),
    ];
    return parts.length === 0 ? undefined : parts.join('; ');
  }
}

function inWords({ from, to }: WalHole): string {
  return `WAL is missing from ${from ?? 'an unknown segment'} until ${to}: nothing between can be restored, until a new base backup is complete`;
}
