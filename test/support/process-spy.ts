import { readFileSync } from 'node:fs';
import { descendantsOf } from './process-tree.ts';

const everyMs = 5;

/** Collects the command lines and environments of all processes below these, as long as it lives. */
export class ProcessSpy implements Disposable {
  /** With those of the processes themselves: everybody on the machine sees them. */
  readonly commandLines = new Set<string>();
  /** What children were given. */
  readonly environments = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(...roots: readonly number[]) {
    this.#timer = setInterval(() => {
      for (const root of roots) {
        this.#look(root, 'cmdline', this.commandLines);
        for (const pid of descendantsOf(root)) {
          this.#look(pid, 'cmdline', this.commandLines);
          this.#look(pid, 'environ', this.environments);
        }
      }
    }, everyMs);
  }

  #look(pid: number, file: 'cmdline' | 'environ', into: Set<string>): void {
    try {
      into.add(readFileSync(`/proc/${pid}/${file}`, 'latin1').replaceAll('\0', ' '));
    } catch {
      // It has ended.
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
