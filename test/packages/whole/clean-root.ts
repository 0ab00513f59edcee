import { join } from 'node:path';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { ownProcesses, Place, prepared, succeed } from './place.ts';

/** A copy of the minimal Debian that scripts/install-debian-root.sh made. Programs in it see nothing but it. */
export class CleanRoot extends Place implements AsyncDisposable {
  readonly path: string;
  readonly #scratch: TemporaryDirectory;

  static async make(): Promise<CleanRoot> {
    const original = prepared('PGHOARD_TEST_DEBIAN_ROOT');
    const scratch = await makeTemporaryDirectory();
    const root = new CleanRoot(scratch, join(scratch.path, 'root'));
    await succeed('cp', ['-a', '--reflink=auto', original, root.path]);
    return root;
  }

  private constructor(scratch: TemporaryDirectory, path: string) {
    super();
    this.#scratch = scratch;
    this.path = path;
  }

  protected inside(script: string, user: string): readonly [string, ...string[]] {
    const environment = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/tmp', 'LC_ALL=C.UTF-8'];
    return [...ownProcesses(`${this.path}/proc`), 'chroot', `--userspec=${user}:${user}`, this.path, ...environment, 'sh', '-c', script];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await succeed('rm', ['-rf', this.path]);
    await this.#scratch[Symbol.asyncDispose]();
  }
}
