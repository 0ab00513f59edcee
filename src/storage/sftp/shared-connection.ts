import { OperatorError } from '../../lib/errors.ts';
import { type ChannelLease, type ConnectionOptions, SftpConnection } from './connection.ts';

/** The connection of a store, made by the first request, and anew by the next one after it broke. */
export class SharedConnection {
  readonly #options: ConnectionOptions;
  #current: Promise<SftpConnection> | undefined;
  #isClosed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  async lease(): Promise<ChannelLease> {
    if (this.#isClosed) throw new OperatorError('store-failed', `${this.#options.storeName} was closed`);
    this.#current ??= this.#connect();
    return await (await this.#current).lease();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const connection = await this.#current?.catch(() => undefined);
    await connection?.close();
  }

  #connect(): Promise<SftpConnection> {
    const forget = () => {
      if (this.#current === attempt) this.#current = undefined;
    };
    const attempt = SftpConnection.open(this.#options, forget);
    attempt.catch(forget);
    return attempt;
  }
}
