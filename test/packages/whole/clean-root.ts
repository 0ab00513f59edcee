import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type ProgramResult, runProgram } from '../../../src/lib/subprocess.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';

/** Installing and changing the root directory are root's. */
export const asRoot: readonly string[] = process.getuid?.() === 0 ? [] : ['sudo', '-n'];

/** What scripts/check-packages.sh has made before. */
export function prepared(name: 'PGHOARD_TEST_DEBIAN_ROOT' | 'PGHOARD_TEST_STAGED' | 'PGHOARD_TEST_TARBALL'): string {
  const path = process.env[name];
  assert(path, `${name} is missing: run "make check-packages"`);
  return path;
}

/** A copy of the minimal Debian that scripts/install-debian-root.sh made. Programs in it see nothing but it. */
export class CleanRoot implements AsyncDisposable {
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
    this.#scratch = scratch;
    this.path = path;
  }

  /** Runs a script of sh as this user to its end, whatever the end. */
  async run(script: string, user = 'root'): Promise<ProgramResult> {
    const [program, ...args] = inside(this.path, script, user);
    return runProgram(program, args);
  }

  /** What the script says, if it ends well. */
  async say(script: string, user = 'root'): Promise<string> {
    const { code, stdout, stderr } = await this.run(script, user);
    assert.equal(code, 0, `${script}:\n${stdout}${stderr}`);
    return stdout.trim();
  }

  /** Starts a script that is ended with all its processes once disposed of. */
  start(script: string, user: string): RunningScript {
    const [program, ...args] = inside(this.path, script, user);
    return new RunningScript(spawn(program, args, { stdio: ['ignore', 'inherit', 'pipe'] }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await succeed('rm', ['-rf', this.path]);
    await this.#scratch[Symbol.asyncDispose]();
  }
}

export class RunningScript implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;
  log = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.on('data', (chunk: Buffer) => (this.log += chunk.toString()));
    this.ended = once(child, 'exit').then(([code]) => code as number | null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL');
    await this.ended;
  }
}

export async function succeed(file: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const [program = file, ...rest] = [...asRoot, file, ...args];
  const { code, stdout, stderr } = await runProgram(program, rest, { env });
  assert.equal(code, 0, `${file} ${args.join(' ')}:\n${stdout}${stderr}`);
  return stdout.trim();
}

/** Processes of its own: nothing that was started outlives it. Ports are those of this machine. */
function inside(root: string, script: string, user: string): [string, ...string[]] {
  const namespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child', `--mount-proc=${root}/proc`];
  const environment = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/tmp', 'LC_ALL=C.UTF-8'];
  const [program, ...args] = [...asRoot, ...namespaces, 'chroot', `--userspec=${user}:${user}`, root, ...environment, 'sh', '-c', script];
  return [program, ...args];
}
