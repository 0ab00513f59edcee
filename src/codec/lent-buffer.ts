/** Of a lent buffer. */
export const lentBytes = 1024 * 1024;
/** As many as this thread ever lent at once. */
const spare: Buffer[] = [];

/**
 * A buffer of 1 MiB that goes from one job of a thread to its next. In a thread that makes little else, fresh ones would pile up: the garbage collector
 * comes by only when tens of MiB hang on what nobody needs any more. What was in it before is still there.
 */
export class LentBuffer implements Disposable {
  readonly bytes = spare.pop() ?? Buffer.allocUnsafeSlow(lentBytes);
  #isLent = true;

  /** Nobody may read or write it after that. Calling it again does nothing. */
  [Symbol.dispose](): void {
    if (!this.#isLent) return;
    this.#isLent = false;
    spare.push(this.bytes);
  }
}
