import { mkdir, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Certificate } from '../certificates.ts';
import { freePort } from '../free-port.ts';
import { packageRoot } from '../package-root.ts';
import { Service, statusOf } from './service.ts';
import { type SwiftPorts, swiftConfiguration } from './swift-configuration.ts';

export interface TestSwiftOptions {
  /** Of the test. Its file system must know extended attributes. */
  readonly directory: string;
  readonly port?: number;
  readonly certificate?: Certificate;
  /** Of a Keystone that is to check tokens, in place of TempAuth. */
  readonly keystoneUrl?: string;
  /** Objects larger than this are refused. */
  readonly maxFileBytes?: number;
  /** How long TempAuth's tokens are good for. */
  readonly tokenSeconds?: number;
}

const storageServers = ['account', 'container', 'object'] as const;
const tokenSecondsDefault = 86_400;
const maxFileBytesDefault = 5 * 1024 ** 3 + 2;

/** OpenStack Swift of Debian with one replica: its four servers, and memcached, where TempAuth keeps its tokens. */
export class TestSwift implements AsyncDisposable {
  /** Of the proxy, as clients see it. */
  readonly url: string;
  /** Login of TempAuth. */
  readonly authUrl: string;
  /** May do everything in the account `test`. */
  readonly admin = { user: 'test:tester', key: 'testing' };
  /** May do nothing there that is not allowed expressly. */
  readonly guest = { user: 'test:tester2', key: 'testing2' };
  readonly #services: readonly Service[];

  private constructor(url: string, services: readonly Service[]) {
    this.url = url;
    this.authUrl = `${url}/auth/v1.0`;
    this.#services = services;
  }

  static async start(options: TestSwiftOptions): Promise<TestSwift> {
    const { directory, certificate, keystoneUrl, maxFileBytes = maxFileBytesDefault, tokenSeconds = tokenSecondsDefault } = options;
    const etc = join(directory, 'etc');
    await mkdir(etc, { recursive: true });
    await mkdir(join(directory, 'srv', 'd1'), { recursive: true });
    const ports = await choosePorts(options.port);
    const files = swiftConfiguration({ etc, ports, certificate, keystoneUrl, maxFileBytes, tokenSeconds });
    for (const [name, text] of files) await writeFile(join(etc, name), text);
    const url = `${certificate ? 'https' : 'http'}://127.0.0.1:${ports.proxy}`;
    const memcached = startMemcached(directory, ports.memcached);
    const swift = startServers(directory, etc, ports);
    const started = new TestSwift(url, [swift, memcached]);
    try {
      await swift.ready(() => isUp(url, ports));
    } catch (error) {
      await started.stop();
      throw error;
    }
    return started;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

async function choosePorts(proxy: number | undefined): Promise<SwiftPorts> {
  const [account, container, object, memcached] = [await freePort(), await freePort(), await freePort(), await freePort()];
  return { proxy: proxy ?? (await freePort()), account, container, object, memcached };
}

function startMemcached(directory: string, port: number): Service {
  const args = ['-u', userInfo().username, '-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', '64', '-t', '2'];
  return new Service('/usr/bin/memcached', args, { cwd: directory, logFile: join(directory, 'memcached.log') });
}

function startServers(directory: string, etc: string, ports: SwiftPorts): Service {
  const script = join(packageRoot, 'test', 'support', 'services', 'swift-aio.py');
  const args = [script, etc, ...storageServers.map((name) => `${name}=${ports[name]}`)];
  return new Service('/usr/bin/python3', args, { cwd: directory, logFile: join(directory, 'swift.log'), env: { PYTHONUNBUFFERED: '1' } });
}

async function isUp(url: string, ports: SwiftPorts): Promise<boolean> {
  for (const name of storageServers) if ((await statusOf(`http://127.0.0.1:${ports[name]}/healthcheck`)) !== 200) return false;
  return (await (url.startsWith('https:') ? statusOverTls : statusOf)(`${url}/healthcheck`)) === 200;
}

/** Whoever signed the certificate. */
function statusOverTls(url: string): Promise<number> {
  return new Promise((resolve) => {
    const asked = get(url, { rejectUnauthorized: false, timeout: 2_000, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(0));
  });
}
