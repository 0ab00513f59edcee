import { bootUsec } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { runProgram } from '../../lib/subprocess.ts';

/** What systemd tells a service in its environment, and takes from it (sd_notify(3)). */
export interface ServiceManagerOptions {
  /** `NOTIFY_SOCKET`; undefined: nobody wants to know. */
  readonly socket: string | undefined;
  /** Within which time systemd wants a sign of life, again and again; undefined: it wants none. */
  readonly watchdogMs: number | undefined;
  readonly log: Log;
}

const program = 'systemd-notify';
const programMsMax = 10_000;

/**
 * Tells systemd how this service is. Node has no datagram sockets of that kind, so each message is sent by `systemd-notify`, which comes with systemd itself and
 * takes some 8 ms of a processor. That is why messages are few, go one after the other, and why the unit says `NotifyAccess=all`.
 */
export class ServiceManager {
  readonly #options: ServiceManagerOptions;
  #sending: Promise<void> = Promise.resolve();
  #failure: string | undefined;

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
  }

  get isListening(): boolean {
    return this.#options.socket !== undefined;
  }

  get watchdogMs(): number | undefined {
    return this.isListening ? this.#options.watchdogMs : undefined;
  }

  ready(status: string): Promise<void> {
    return this.#send('READY=1', statusLine(status));
  }

  /** To be followed by {@link ready}. systemd tells by the time which of several reloads is meant. */
  reloading(): Promise<void> {
    return this.#send('RELOADING=1', `MONOTONIC_USEC=${bootUsec()}`);
  }

  /** `isAlive`: feeds the watchdog. */
  tell(news: { readonly status?: string | undefined; readonly isAlive?: boolean }): Promise<void> {
    const status = news.status === undefined ? [] : [statusLine(news.status)];
    return this.#send(...status, ...(news.isAlive === true ? ['WATCHDOG=1'] : []));
  }

  stopping(status: string, withinMs: number): Promise<void> {
    return this.#send('STOPPING=1', statusLine(status), extension(withinMs));
  }

  /** Stopping may go on for so long from now. */
  extend(withinMs: number): Promise<void> {
    return this.#send(extension(withinMs), ...(this.watchdogMs === undefined ? [] : ['WATCHDOG=1']));
  }

  /** One after the other, so that the last one said is the last one heard. Never rejects. */
  #send(...variables: readonly string[]): Promise<void> {
    const { socket } = this.#options;
    if (socket === undefined || variables.length === 0) return Promise.resolve();
    this.#sending = this.#sending.then(() => this.#run(socket, variables)).catch((error: unknown) => this.#failed(messageOf(error)));
    return this.#sending;
  }

  async #run(socket: string, variables: readonly string[]): Promise<void> {
    const env = { PATH: process.env['PATH'], NOTIFY_SOCKET: socket };
    const { code, stderr } = await runProgram(program, [...variables], { env, signal: AbortSignal.timeout(programMsMax) });
    if (code === 0) this.#failure = undefined;
    else this.#failed(stderr === '' ? `${program} ended with exit code ${code}` : stderr);
  }

  #failed(because: string): void {
    if (because !== this.#failure) this.#options.log.warn({}, `systemd cannot be told how pghoard is: ${because}`);
    this.#failure = because;
  }
}

/** Takes what systemd says to this process out of its environment: programs that it starts must not speak in its name. */
export function takeServiceManagerFrom(environment: NodeJS.ProcessEnv, log: Log): ServiceManager {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdogUsec, WATCHDOG_PID: watchdogPid } = environment;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  const usec = Number(watchdogUsec ?? 0);
  const isForUs = watchdogPid === undefined || Number(watchdogPid) === process.pid;
  const watchdogMs = isForUs && Number.isFinite(usec) && usec > 0 ? usec / 1000 : undefined;
  return new ServiceManager({ socket: socket === '' ? undefined : socket, watchdogMs, log });
}

function statusLine(text: string): string {
  return `STATUS=${text.replaceAll(/\s+/g, ' ')}`;
}

function extension(ms: number): string {
  return `EXTEND_TIMEOUT_USEC=${Math.ceil(ms * 1000)}`;
}
