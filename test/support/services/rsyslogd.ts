import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../temporary-directory.ts';
import { waitFor } from '../wait-for.ts';
import { Service } from './service.ts';

/** Debian's rsyslogd, which takes messages by UDP, TCP and a socket of Unix, each in the formats that it knows, and writes what it understood to a file. */
export class Rsyslogd implements AsyncDisposable {
  readonly port: number;
  readonly #scratch: TemporaryDirectory;
  #service: Service;

  static async start(): Promise<Rsyslogd> {
    const scratch = await makeTemporaryDirectory();
    const rsyslogd = new Rsyslogd(scratch, await freePort());
    try {
      await rsyslogd.#listens();
      return rsyslogd;
    } catch (error) {
      await rsyslogd[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(scratch: TemporaryDirectory, port: number) {
    this.#scratch = scratch;
    this.port = port;
    writeFileSync(this.#at('conf'), configOf(port, this.socket, this.#at('seen')));
    writeFileSync(this.#at('seen'), '');
    this.#service = this.#spawn();
  }

  /** A datagram socket, as /dev/log is. */
  get socket(): string {
    return this.#at('log');
  }

  get pid(): number {
    return this.#service.pid ?? 0;
  }

  /** What it has written: `input facility.severity program pid message`, a message a line. */
  get seen(): string[] {
    return readFileSync(this.#at('seen'), 'utf8').trimEnd().split('\n');
  }

  async received(wanted: RegExp): Promise<string> {
    const what = () => `rsyslogd receives ${wanted}:\n${this.seen.slice(-20).join('\n')}`;
    return waitFor(() => this.seen.find((line) => wanted.test(line)), { withinMs: 30_000, what });
  }

  async stop(): Promise<void> {
    await this.#service.stop();
  }

  async launch(): Promise<void> {
    this.#service = this.#spawn();
    await this.#listens();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#scratch[Symbol.asyncDispose]();
  }

  #at(name: string): string {
    return join(this.#scratch.path, name);
  }

  #spawn(): Service {
    const flags = ['-n', '-f', this.#at('conf'), '-i', this.#at('pid')];
    return new Service('rsyslogd', flags, { cwd: this.#scratch.path, logFile: this.#at('output') });
  }

  /** TCP is the last input to begin. */
  async #listens(): Promise<void> {
    await this.#service.ready(async () => {
      const listening = new RegExp(`^ *\\d+: 0100007F:${this.port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`, 'm');
      return listening.test(readFileSync('/proc/net/tcp', 'utf8'));
    });
  }
}

function configOf(port: number, socket: string, seen: string): string {
  return `
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp")
template(name="seen" type="string" string="%inputname% %syslogfacility-text%.%syslogseverity-text% %app-name% %procid% %timereported:::date-rfc3339%%msg:::sp-if-no-1st-sp%%msg%\\n")
ruleset(name="all") { action(type="omfile" file="${seen}" template="seen") }
input(type="imuxsock" Socket="${socket}" ruleset="all")
input(type="imudp" address="127.0.0.1" port="${port}" ruleset="all")
input(type="imtcp" address="127.0.0.1" port="${port}" ruleset="all")
`;
}
