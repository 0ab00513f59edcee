import type { IncomingHttpHeaders } from 'node:http';
import type { Config } from '../config/config.ts';
import { OperatorError } from '../lib/errors.ts';
import { reachableHost } from '../restore/restore-command.ts';
import { ask, ConnectionError, type DaemonAddress, isFromPghoard, textOf } from './daemon-request.ts';

export interface DaemonAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly isFromPghoard: boolean;
  readonly text: string;
}

const answerWithinMs = 60_000;
const saidCharactersMax = 2000;

/** A running daemon as the tools of an operator see it. */
export class DaemonClient {
  readonly #address: DaemonAddress;
  readonly #signal: AbortSignal;

  /** `signal` ends whatever is being asked. */
  constructor(address: DaemonAddress, signal: AbortSignal) {
    this.#address = address;
    this.#signal = signal;
  }

  /** For messages. */
  get name(): string {
    return `pghoard at ${this.#address.host}:${this.#address.port}`;
  }

  /** Any answer but "wrong credentials". Rejects with `daemon-unreachable` (retryable) and `daemon-refused`. */
  async ask(method: string, ...path: readonly string[]): Promise<DaemonAnswer> {
    const answer = await this.#ask(method, `/${path.map(encodeURIComponent).join('/')}`);
    if (answer.status !== 401) return answer;
    throw new OperatorError('daemon-refused', `${this.name} wants other credentials`, {
      hint: 'They are webserver_username and webserver_password of its configuration: give that with --config, or --username and --password.',
    });
  }

  /** The error for an answer that does not help: what the daemon said is in the message. */
  refusal(what: string, { status, headers, text }: DaemonAnswer, code = 'daemon-refused'): OperatorError {
    const said = text || String(headers['x-pghoard-code'] ?? 'no reason given');
    const [reason = '', hint] = said.slice(0, saidCharactersMax).split(/\n {2}hint: /);
    return new OperatorError(code, `${this.name} did not ${what}: it answered ${status}: ${reason.trim()}`, {
      retryable: status >= 500,
      ...(hint && { hint: hint.trim() }),
    });
  }

  /** The error for what another server says. */
  strangerError(what: string, { status }: DaemonAnswer): OperatorError {
    return new OperatorError('daemon-refused', `${this.name} did not ${what}: a server that is not pghoard answered ${status}`, {
      hint: 'Check http_address and http_port, and what else listens there.',
    });
  }

  async #ask(method: string, path: string): Promise<DaemonAnswer> {
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(answerWithinMs)]);
    try {
      const answer = await ask(this.#address, method, path, { signal });
      const text = await textOf(this.#address, answer, Number.POSITIVE_INFINITY);
      return { status: answer.statusCode ?? 0, headers: answer.headers, isFromPghoard: isFromPghoard(answer), text };
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!(error instanceof ConnectionError)) throw error;
      throw new OperatorError('daemon-unreachable', `${this.name} cannot be reached`, {
        cause: error,
        retryable: true,
        hint: 'Start the daemon, or check http_address and http_port.',
      });
    }
  }
}

/** Where the tools on its machine find the daemon of a configuration. */
export function daemonAddressOf(config: Config): DaemonAddress {
  return { host: reachableHost(config.http_address), port: config.http_port, credentials: credentialsOf(config) };
}

export function credentialsOf({ webserver_username: username, webserver_password: password }: Config): DaemonAddress['credentials'] {
  return username !== null && password !== null ? { username, password } : undefined;
}
