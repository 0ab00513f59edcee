import { EventEmitter } from 'node:events';

export interface WatchTerminal {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

const enter = '\x1b[?1049h\x1b[?25l';
const leave = '\x1b[?25h\x1b[?1049l';
const home = '\x1b[H';
const clearLine = '\x1b[K';
const clearBelow = '\x1b[J';
/** The last two are Ctrl-C and Ctrl-D. */
const endKeys = ['q', 'Q', '\x03', '\x04'];

/** A terminal whose whole screen shows something that changes. What was there before comes back when it is disposed of, however that comes about. */
export class WatchScreen implements Disposable {
  readonly #terminal: WatchTerminal;
  readonly #ended = new AbortController();
  readonly #changed = new EventEmitter();
  #lines: readonly string[] = [];

  constructor(terminal: WatchTerminal) {
    this.#terminal = terminal;
    const { input, output } = terminal;
    output.write(enter);
    if (input.isTTY) {
      input.setRawMode(true);
      input.on('data', this.#onKey);
      input.resume();
    }
    output.on('resize', this.#onResize);
  }

  /** Aborted when somebody wants it to end. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Undefined where it does not say. */
  get columns(): number | undefined {
    return this.#terminal.output.columns || undefined;
  }

  /** Called when the terminal has another size. */
  onResize(listener: () => void): void {
    this.#changed.on('resize', listener);
  }

  /** In one write, over what is there, so that nothing flickers. What does not fit below is left out. */
  show(lines: readonly string[]): void {
    this.#lines = lines;
    this.#draw();
  }

  [Symbol.dispose](): void {
    const { input, output } = this.#terminal;
    output.off('resize', this.#onResize);
    if (input.isTTY) {
      input.off('data', this.#onKey);
      input.setRawMode(false);
      input.pause();
    }
    output.write(leave);
  }

  #draw(): void {
    const { output } = this.#terminal;
    const shown = this.#lines.slice(0, output.rows || undefined);
    output.write(home + shown.map((line) => `${line}${clearLine}`).join('\n') + clearBelow);
  }

  readonly #onKey = (keys: Buffer): void => {
    const text = keys.toString();
    if (endKeys.some((key) => text.includes(key))) this.#ended.abort();
  };

  readonly #onResize = (): void => {
    this.#changed.emit('resize');
  };
}
