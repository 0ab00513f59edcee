import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../../../src/lib/subprocess.ts';
import { packageRoot } from '../../support/package-root.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { ownProcesses, Place, prepared, succeed } from './place.ts';

/** A directory of the host, and where a container has it. */
export type Volumes = Readonly<Record<string, string>>;

/** What an image says of how it is run. */
export interface ImageConfiguration {
  readonly User: string;
  readonly Cmd: readonly string[];
  readonly StopSignal: string;
  readonly Volumes: Readonly<Record<string, object>>;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

/** npm of the Node that the Containerfile builds with. */
const npm = 'npm@11';

/**
 * buildah with images of its own, made from nothing but Debian's packages and npm's: no registry of images is asked. It isolates by chroot alone, which works wherever root may
 * mount.
 */
export class Buildah implements AsyncDisposable {
  readonly #scratch: TemporaryDirectory;
  readonly #env: readonly string[];

  static async open(): Promise<Buildah> {
    const scratch = await makeTemporaryDirectory();
    const storage = join(scratch.path, 'storage.conf');
    const [root, run] = ['images', 'run'].map((name) => JSON.stringify(join(scratch.path, name)));
    await writeFile(storage, `[storage]\ndriver = "vfs"\ngraphroot = ${root}\nrunroot = ${run}\n`);
    return new Buildah(scratch, [`CONTAINERS_STORAGE_CONF=${storage}`, 'BUILDAH_ISOLATION=chroot', 'CONTAINER_TOOL=buildah']);
  }

  private constructor(scratch: TemporaryDirectory, env: readonly string[]) {
    this.#scratch = scratch;
    this.#env = env;
  }

  /** As it is run with these images. */
  command(...args: readonly string[]): readonly [string, ...string[]] {
    return ['env', ...this.#env, 'buildah', ...args];
  }

  say(...args: readonly string[]): Promise<string> {
    const [program, ...rest] = this.command(...args);
    return succeed(program, rest);
  }

  /** What the Containerfile begins with: a Debian, and the same with Node and npm. */
  async makeBaseImages(): Promise<{ readonly debian: string; readonly node: string }> {
    const container = await this.say('from', 'scratch');
    await this.say('copy', '--quiet', container, prepared('PGHOARD_TEST_APT_ROOT'), '/');
    await this.#assertRunsHere(container);
    await this.say('commit', '--quiet', container, 'localhost/debian');
    await this.say('copy', '--quiet', container, await this.#nodeWithNpm(), '/usr/local');
    await this.say('config', ...(await this.#wayToRegistry(container)).flatMap((each) => ['--env', each]), container);
    await this.say('commit', '--quiet', container, 'localhost/node');
    await this.say('rm', container);
    return { debian: 'localhost/debian', node: 'localhost/node' };
  }

  /** The image as it is shipped. */
  async build({ debian, node }: { readonly debian: string; readonly node: string }): Promise<void> {
    const script = join(packageRoot, 'packaging/build-container.sh');
    const bases = ['--build-arg', `debian=${debian}`, '--build-arg', `node=${node}`];
    await succeed('env', [...this.#env, 'sh', script, '--quiet', '--pull-never', ...bases]);
  }

  async inspect(image: string): Promise<ImageConfiguration> {
    const { Docker } = JSON.parse(await this.say('inspect', '--type', 'image', image)) as { Docker: { config: ImageConfiguration } };
    return Docker.config;
  }

  async from(image: string, volumes: Volumes): Promise<Container> {
    const container = await this.say('from', '--pull-never', image);
    // buildah lets the volumes that an image declares hide those that it is given, other than podman and docker do.
    for (const inside of Object.values(volumes)) await this.say('config', '--volume', `${inside}-`, container);
    // A short way there: paths of sockets have some 100 characters.
    const path = join(this.#scratch.path, 'root');
    await symlink(await this.say('mount', container), path);
    return new Container(this, container, path, volumes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await succeed('rm', ['-rf', join(this.#scratch.path, 'images'), join(this.#scratch.path, 'run')]);
    await this.#scratch[Symbol.asyncDispose]();
  }

  async #assertRunsHere(container: string): Promise<void> {
    const [program, ...args] = this.command('run', container, 'true');
    const { code, stderr } = await runProgram(program, args);
    assert.equal(
      code,
      0,
      `buildah cannot run anything here. It has to be root, and allowed to mount and to change the root directory: ${stderr}`,
    );
  }

  /** For /usr/local. */
  async #nodeWithNpm(): Promise<string> {
    const local = join(this.#scratch.path, 'local');
    await mkdir(join(local, 'bin'), { recursive: true });
    await succeed('cp', [process.execPath, join(local, 'bin/node')]);
    await succeed('npm', ['install', '--global', '--prefer-offline', '--ignore-scripts', `--prefix=${local}`, npm]);
    return local;
  }

  /** As npm has it here: another registry, and certificates that this machine trusts beside Node's own. */
  async #wayToRegistry(container: string): Promise<readonly string[]> {
    const registry = await runProgram('npm', ['config', 'get', 'registry'], { cwd: packageRoot });
    const certificates = process.env['NODE_EXTRA_CA_CERTS'];
    const inside = '/usr/local/share/extra-certificates.pem';
    if (certificates !== undefined) await this.say('copy', '--quiet', container, certificates, inside);
    return [`npm_config_registry=${registry.stdout.trim()}`, ...(certificates === undefined ? [] : [`NODE_EXTRA_CA_CERTS=${inside}`])];
  }
}

/** A container of an image, with directories of this machine as its volumes. */
export class Container extends Place {
  readonly path: string;
  readonly #buildah: Buildah;
  readonly #name: string;
  readonly #volumes: readonly string[];

  constructor(buildah: Buildah, name: string, path: string, volumes: Volumes) {
    super();
    this.path = path;
    this.#buildah = buildah;
    this.#name = name;
    this.#volumes = Object.entries(volumes).flatMap(([host, inside]) => ['--volume', `${host}:${inside}`]);
  }

  protected inside(script: string, user: string): readonly [string, ...string[]] {
    return [...ownProcesses('/proc'), ...this.#buildah.command('run', ...this.#volumes, '--user', user, this.#name, 'sh', '-c', script)];
  }
}
