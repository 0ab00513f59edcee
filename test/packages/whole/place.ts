import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type ProgramResult, runProgram } from '../../../src/lib/subprocess.ts';

/** Installing and changing the root directory are root's. */
export const asRoot: readonly string[] = process.getuid?.() === 0 ? [] : ['sudo', '-n'];

/** What scripts/check-packages.sh has made before. */
export function prepared(
  name: 'PGHOARD_TEST_APT_ROOT' | 'PGHOARD_TEST_DEBIAN_ROOT' | 'PGHOARD_TEST_STAGED' | 'PGHOARD_TEST_TARBALL',
): string {
  const path = process.env[name];
  assert(path, `${name} is missing: run "make check-packages"`);
  return path;
}

/** Where something is installed and tried: a root directory of its own. */
export abstract class Place {
  /** The root directory, as it is seen from outside. */
  abstract readonly path: string;

  /** What runs a script of sh there as this user. */
  protected abstract inside(script: string, user: string): readonly [string, ...string[]];

  /** Runs a script of sh as this user to its end, whatever the end. */
  async run(script: string, user = 'root'): Promise<ProgramResult> {
    const [program, ...args] = withRights(this.inside(script, user));
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
    const [program, ...args] = withRights(this.inside(script, user));
    return new RunningScript(spawn(program, args, { stdio: ['ignore', 'inherit', 'pipe'] }));
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

/** Runs a program as root. Resolves to what it says, if it ends well. */
export async function succeed(file: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const [program, ...rest] = withRights([file, ...args]);
  const { code, stdout, stderr } = await runProgram(program, rest, { env });
  assert.equal(code, 0, `${file} ${args.join(' ')}:\n${stdout}${stderr}`);
  return stdout.trim();
}

/** Processes of their own: nothing that was started outlives it. Ports are those of this machine. */
export function ownProcesses(proc: string): readonly [string, ...string[]] {
  return ['unshare', '--mount', '--pid', '--fork', '--kill-child', `--mount-proc=${proc}`];
}

function withRights([program, ...args]: readonly [string, ...string[]]): [string, ...string[]] {
  const [first = program, ...rest] = [...asRoot, program, ...args];
  return [first, ...rest];
}
