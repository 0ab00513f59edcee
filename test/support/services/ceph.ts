import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { runProgram } from '../../../src/lib/subprocess.ts';
import { type S3StorageOptions, s3StorageOptions } from '../../../src/storage/s3/options.ts';
import type { Certificate } from '../certificates.ts';
import { freePort } from '../free-port.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../temporary-directory.ts';
import { cephConfig } from './ceph-config.ts';
import { Service, statusOf } from './service.ts';

/** Debian 12's, and that of a newer Debian, which scripts/install-debian-side.sh unpacks. */
export type CephVersion = '16' | '20';

export interface CephOptions {
  readonly version: CephVersion;
  readonly certificate?: Certificate;
  /** Takes `x-amz-server-side-encryption: AES256`, for which it then has a key. */
  readonly encrypts?: boolean;
}

/** A Ceph cluster of one monitor, one disk in memory and one gateway, which speaks S3 and Swift (v1) at one port. */
export class CephServer implements AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly accessKey = 'testkey';
  readonly secretKey = 'testsecret';
  readonly swiftAuthUrl: string;
  readonly swiftUser = 'test:swift';
  readonly swiftKey = 'testing';
  readonly #directory: TemporaryDirectory;
  readonly #root: string;
  readonly #services: Service[] = [];

  private constructor(directory: TemporaryDirectory, root: string, port: number, secure: boolean) {
    this.#directory = directory;
    this.#root = root;
    this.port = port;
    this.url = `${secure ? 'https' : 'http'}://127.0.0.1:${port}`;
    this.swiftAuthUrl = `${this.url}/auth/v1.0`;
  }

  static async start(options: CephOptions): Promise<CephServer> {
    const directory = await makeTemporaryDirectory();
    const server = new CephServer(directory, cephRoot(options.version), await freePort(), options.certificate !== undefined);
    try {
      await server.#start(options);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `object_storage` for it, with other settings as a configuration file would have them. */
  s3Options(others: Readonly<Record<string, unknown>> = {}): S3StorageOptions {
    const { port, accessKey, secretKey } = this;
    const keys = { aws_access_key_id: accessKey, aws_secret_access_key: secretKey };
    return s3StorageOptions.parse({ storage_type: 's3', bucket_name: 'backups', host: '127.0.0.1', port, ...keys, ...others });
  }

  /** Another user of the gateway, who owns nothing. */
  async addUser(name: string, accessKey: string, secretKey: string): Promise<void> {
    await this.#admin(
      'user',
      'create',
      `--uid=${name}`,
      `--display-name=${name}`,
      `--access-key=${accessKey}`,
      `--secret-key=${secretKey}`,
    );
  }

  /** `radosgw-admin`, to have the store refuse or lose something. */
  async admin(...args: readonly string[]): Promise<void> {
    await this.#admin(...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // They keep nothing that matters, and take seconds to end in order.
    for (const service of this.#services.toReversed()) await service.stop('SIGKILL');
    await this.#directory[Symbol.asyncDispose]();
  }

  async #start({ certificate, encrypts }: CephOptions): Promise<void> {
    const { path } = this.#directory;
    const clusterId = randomUUID();
    const monitorPort = await freePort();
    await Promise.all([mkdir(join(path, 'osd0')), mkdir(join(path, 'run'))]);
    const pem = certificate && (await joinedCertificate(certificate, join(path, 'gateway.pem')));
    const { port } = this;
    const root = this.#root;
    await writeFile(this.#config, cephConfig({ directory: path, clusterId, monitorPort, port, pem, encrypts: encrypts ?? false, root }));
    await this.#startMonitor(clusterId, monitorPort);
    await this.#startDisk();
    const gateway = this.#service('radosgw', '-n', 'client.rgw', '-f');
    await gateway.ready(
      async () => (pem === undefined ? (await statusOf(`${this.url}/swift/healthcheck`)) === 200 : accepts(port)),
      120_000,
    );
    await this.addUser('test', this.accessKey, this.secretKey);
    const subuser = ['--uid=test', `--subuser=${this.swiftUser}`, '--access=full', '--key-type=swift', `--secret-key=${this.swiftKey}`];
    await this.#admin('subuser', 'create', ...subuser);
  }

  async #startMonitor(clusterId: string, port: number): Promise<void> {
    const map = join(this.#directory.path, 'monmap');
    const address = `[v2:127.0.0.1:${port}]`;
    await this.#run('monmaptool', '--create', '--clobber', '--fsid', clusterId, '--addv', 'a', address, map);
    await this.#run('ceph-mon', '-c', this.#config, '-i', 'a', '--mkfs', '--monmap', map);
    await this.#service('ceph-mon', '-i', 'a', '-f').ready(() => accepts(port));
  }

  async #startDisk(): Promise<void> {
    const id = randomUUID();
    // The command line client of Debian 12 speaks to newer monitors, too.
    await run('/usr/bin/ceph', ['-c', this.#config, 'osd', 'new', id, '0']);
    await this.#run('ceph-osd', '-c', this.#config, '-i', '0', '--mkfs', '--osd-uuid', id, '--no-mon-config');
    this.#service('ceph-osd', '-i', '0', '-f');
  }

  get #config(): string {
    return join(this.#directory.path, 'ceph.conf');
  }

  #service(program: string, ...args: readonly string[]): Service {
    const { path } = this.#directory;
    const options = { cwd: path, logFile: join(path, 'ceph.out'), env: { CEPH_ARGS: '' } };
    const service = new Service(`${this.#root}/usr/bin/${program}`, ['-c', this.#config, ...args], options);
    this.#services.push(service);
    return service;
  }

  #admin(...args: readonly string[]): Promise<void> {
    return this.#run('radosgw-admin', '-c', this.#config, '-n', 'client.rgw', ...args);
  }

  #run(program: string, ...args: readonly string[]): Promise<void> {
    return run(`${this.#root}/usr/bin/${program}`, args);
  }
}

/** Under which directory its programs lie. */
function cephRoot(version: CephVersion): string {
  if (version === '16') return '';
  const root = process.env['PGHOARD_TEST_CEPH20'];
  assert(root, 'PGHOARD_TEST_CEPH20 must name the directory that "sh scripts/install-debian-side.sh ceph-20" prints, as npm test does');
  return root;
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const env = { ...process.env, CEPH_ARGS: '', PATH: '/usr/bin:/bin:/usr/sbin:/sbin' };
  const { code, stderr } = await runProgram(program, args, { env });
  assert.equal(code, 0, `${program} ${args.join(' ')}: ${stderr}`);
}

/** The gateway wants certificate and key in one file. */
async function joinedCertificate({ cert, key }: Certificate, path: string): Promise<string> {
  await writeFile(path, `${await readFile(key, 'utf8')}${await readFile(cert, 'utf8')}`);
  return path;
}

function accepts(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  socket.once('connect', () => {
    socket.destroy();
    resolve(true);
  });
  socket.once('error', () => resolve(false));
  return promise;
}
