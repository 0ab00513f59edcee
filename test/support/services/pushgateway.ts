import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { Service, statusOf } from './service.ts';

/** A real Prometheus pushgateway. */
export class TestPushgateway implements AsyncDisposable {
  readonly endpoint: string;
  readonly #service: Service;

  private constructor(service: Service, endpoint: string) {
    this.#service = service;
    this.endpoint = endpoint;
  }

  static async start(directory: string): Promise<TestPushgateway> {
    const port = await freePort();
    const args = [`--web.listen-address=127.0.0.1:${port}`, '--persistence.file='];
    const service = new Service('/usr/bin/prometheus-pushgateway', args, { cwd: directory, logFile: join(directory, 'pushgateway.log') });
    const endpoint = `http://127.0.0.1:${port}`;
    await service.ready(async () => (await statusOf(`${endpoint}/-/ready`)) === 200);
    return new TestPushgateway(service, endpoint);
  }

  /** Everything that was pushed, as Prometheus would get it. */
  async metrics(): Promise<string> {
    return (await fetch(`${this.endpoint}/metrics`)).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service.stop();
  }
}
