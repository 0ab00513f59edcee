import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';

import { type AzureStorageOptions, azureStorageOptions } from '../../../src/storage/azure/options.ts';
import type { Certificate } from '../certificates.ts';
import { freePort } from '../free-port.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../temporary-directory.ts';
import { Service } from './service.ts';

export interface AzuriteOptions {
  /** Serves HTTPS, and takes the tokens of identities, whatever their signature. */
  readonly certificate?: Certificate;
}

/** Microsoft's emulator of Azure Blob Storage, with one account. It keeps everything in memory. */
export class Azurite implements AsyncDisposable {
  readonly port: number;
  readonly account = 'pghoardtest';
  readonly accountKey = randomBytes(64).toString('base64');
  readonly #secure: boolean;
  readonly #directory: TemporaryDirectory;
  readonly #service: Service;

  private constructor(port: number, directory: TemporaryDirectory, { certificate }: AzuriteOptions) {
    this.port = port;
    this.#secure = certificate !== undefined;
    this.#directory = directory;
    const tls = certificate ? ['--cert', certificate.cert, '--key', certificate.key, '--oauth', 'basic'] : [];
    const listen = ['--blobHost', '127.0.0.1', '--blobPort', String(port), '--inMemoryPersistence'];
    const args = [mainFile(), ...listen, ...tls, '--silent', '--disableTelemetry', '--skipApiVersionCheck'];
    const { path: cwd } = directory;
    const env = { AZURITE_ACCOUNTS: `${this.account}:${this.accountKey}` };
    this.#service = new Service(process.execPath, args, { cwd, logFile: join(cwd, 'azurite.log'), env });
  }

  static async start(options: AzuriteOptions = {}): Promise<Azurite> {
    const server = new Azurite(await freePort(), await makeTemporaryDirectory(), options);
    try {
      await server.#service.ready(() => answers(server.port));
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return `${this.#secure ? 'https' : 'http'}://127.0.0.1:${this.port}/${this.account}`;
  }

  get connectionString(): string {
    const { account, accountKey, url } = this;
    return `DefaultEndpointsProtocol=${this.#secure ? 'https' : 'http'};AccountName=${account};AccountKey=${accountKey};BlobEndpoint=${url};`;
  }

  /** As a configuration would have it, with the key. */
  options(container: string, more: Partial<AzureStorageOptions> = {}): AzureStorageOptions {
    const base = { storage_type: 'azure', bucket_name: container, account_name: this.account, account_key: this.accountKey };
    const place = { host: '127.0.0.1', port: this.port, is_secure: this.#secure };
    return azureStorageOptions.parse({ ...base, ...place, ...more });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It keeps nothing that matters.
    await this.#service.stop('SIGKILL');
    await this.#directory[Symbol.asyncDispose]();
  }
}

function mainFile(): string {
  const path = process.env['PGHOARD_TEST_AZURITE'];
  assert(path, 'PGHOARD_TEST_AZURITE must name the file that "sh scripts/install-azurite.sh" prints, as npm test does');
  return path;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
