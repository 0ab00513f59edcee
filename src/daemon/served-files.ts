import type { Clock } from '../lib/clock.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';

/** The file of a kind that was handed out last, as the state file has it; `time` in epoch seconds. */
interface ServedFile {
  readonly name: string;
  readonly time: number;
}

/** What was last handed out to restore_command, for the state file: whether a recovery gets on can be seen there. */
export class ServedFiles {
  readonly #clock: Clock;
  readonly #last = new Map<'xlog' | 'timeline', ServedFile>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  served(name: string): void {
    const kind = classifyWalFile(name) === 'history' ? 'timeline' : 'xlog';
    this.#last.set(kind, { name, time: this.#clock.now().getTime() / 1000 });
  }

  snapshot(): Readonly<Partial<Record<'xlog' | 'timeline', ServedFile>>> {
    return Object.fromEntries(this.#last);
  }
}
