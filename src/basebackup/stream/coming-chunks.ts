import { Condition } from '../../lib/condition.ts';

/** How far the job is that reads a base backup, chunk by chunk, for those who seal and store them. */
export class ComingChunks {
  readonly #condition = new Condition();
  readonly #paths = new Map<number, readonly string[]>();
  #begun = 0;
  #isOver = false;

  begin(number: number): void {
    this.#begun = number;
    this.#condition.wake();
  }

  end(number: number, paths: readonly string[]): void {
    this.#paths.set(number, paths);
    this.#condition.wake();
  }

  /** No more are begun. */
  finish(): void {
    this.#isOver = true;
    this.#condition.wake();
  }

  /** Numbers of chunks that may come; who takes one finds out whether it does. */
  async *numbers(): AsyncGenerator<number> {
    for (let number = 1; !this.#isOver; number++) yield number;
  }

  /** Whether the chunk comes, once that is known. */
  comes(number: number, signal: AbortSignal): Promise<boolean> {
    return this.#condition.until(() => this.#begun >= number || (this.#isOver ? false : undefined), signal);
  }

  /** Of its members, once it has ended. They are told once. */
  async pathsOf(number: number, signal: AbortSignal): Promise<readonly string[]> {
    const paths = await this.#condition.until(() => this.#paths.get(number), signal);
    this.#paths.delete(number);
    return paths;
  }
}
