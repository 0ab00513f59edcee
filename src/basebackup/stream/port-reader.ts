import type { MessagePort } from 'node:worker_threads';
import { Condition } from '../../lib/condition.ts';

/** Messages of a port one after the other, for a job: waiting ends with the job. Disposing closes the port. */
export class PortReader<Message extends object> implements Disposable {
  readonly #port: MessagePort;
  readonly #signal: AbortSignal;
  readonly #waiting: Message[] = [];
  readonly #condition = new Condition();
  #isClosed = false;

  /** `onMessage` is told at once, whoever takes the message later. */
  constructor(port: MessagePort, signal: AbortSignal, onMessage: () => void = () => {}) {
    this.#port = port;
    this.#signal = signal;
    port.on('message', (message: Message) => {
      this.#waiting.push(message);
      this.#condition.wake();
      onMessage();
    });
    port.on('close', () => {
      this.#isClosed = true;
      this.#condition.wake();
    });
  }

  /** How many are there to be taken. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Null once the other side has closed it and all is taken. Rejects with the signal's reason. */
  next(): Promise<Message | null> {
    return this.#condition.until(() => this.#waiting.shift() ?? (this.#isClosed ? null : undefined), this.#signal);
  }

  [Symbol.dispose](): void {
    this.#port.close();
  }
}
