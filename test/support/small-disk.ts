import { mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../../src/lib/subprocess.ts';
import { isRunning } from './process-tree.ts';

/** Somewhere that a daemon writes to, which can be made full and given room again. */
export interface SmallDisk extends AsyncDisposable {
  /** Leaves room for about so many bytes more; `pid`: the process that shall meet the full disk. */
  fill(pid: number, leavingBytes?: number): Promise<void>;
  makeRoom(pid: number): Promise<void>;
}

/**
 * As root: a small file system of its own at `path`. Otherwise nobody may mount one, and the process that writes gets a limit on the size of
 * its files, which meets all of its files: the kernel refuses its writes in the same way, with another error code (EFBIG).
 */
export async function makeSmallDisk(path: string, bytes: number): Promise<SmallDisk> {
  return process.getuid?.() === 0 ? MountedDisk.mount(path, bytes) : new LimitedFiles();
}

class MountedDisk implements SmallDisk {
  readonly #path: string;

  static async mount(path: string, bytes: number): Promise<MountedDisk> {
    await mkdir(path, { recursive: true });
    await succeed('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=755`, 'tmpfs', path]);
    return new MountedDisk(path);
  }

  private constructor(path: string) {
    this.#path = path;
  }

  async fill(_pid: number, leavingBytes = 0): Promise<void> {
    await using file = await open(this.#filler, 'a');
    const block = Buffer.alloc(4096);
    try {
      for (;;) await file.appendFile(block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
    if (leavingBytes > 0) await file.truncate(Math.max(0, (await stat(this.#filler)).size - leavingBytes));
  }

  async makeRoom(): Promise<void> {
    await rm(this.#filler);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await succeed('umount', ['--lazy', this.#path]);
  }

  /** Begins with a dot, so that a store does not take it for an object. */
  get #filler(): string {
    return join(this.#path, '.filler');
  }
}

class LimitedFiles implements SmallDisk {
  /** How much is left in all cannot be said, so nothing is. */
  async fill(pid: number): Promise<void> {
    await limitFileSize(pid, '0');
  }

  /** The limit of a dead process died with it. */
  async makeRoom(pid: number): Promise<void> {
    if (isRunning(pid)) await limitFileSize(pid, 'unlimited');
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** How large a file may get that the process writes, in bytes or `unlimited`. Only the soft limit, which may be raised again. */
export async function limitFileSize(pid: number, bytes: string): Promise<void> {
  await succeed('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`]);
}

async function succeed(program: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await runProgram(program, [...args]);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr}`);
}
