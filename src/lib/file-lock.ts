import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { OperatorError } from './errors.ts';
import { exitOf, tailOf } from './subprocess.ts';

/** As the program that is handed the file knows it. */
const handedFd = 3;
/** `flock -n` where another holds the lock. */
const exitHeldElsewhere = 1;

/**
 * An exclusive lock on a file, held by the kernel (flock(2)) for as long as this process lives, however it ends: there is nothing stale to find after a
 * crash, whatever becomes of process ids, and containers that share the file see each other.
 *
 * Node has no such call. The lock belongs to the open file and not to who asked for it, so the program `flock` takes it on a file that we opened, and ends.
 */
export class FileLock implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Makes the file where there is none. Undefined: somebody else holds the lock. Rejects with `program-missing` where there is no `flock`. */
  static async take(path: string): Promise<FileLock | undefined> {
    for (;;) {
      const file = await open(path, 'a+', 0o600);
      const outcome = await lock(path, file).catch(async (error: unknown) => {
        await file.close();
        throw error;
      });
      if (outcome === 'locked') return new FileLock(path, file);
      await file.close();
      if (outcome === 'held elsewhere') return undefined;
    }
  }

  /** For people who look into the file. */
  async write(text: string): Promise<void> {
    await this.#file.truncate();
    await this.#file.write(text);
  }

  /**
   * Names this lock: whoever holds it and sees the same text from another process knows that process to be dead. Undefined where the machine does not
   * tell when it was started: then a copy of the file on another machine could have the same name.
   */
  async name(): Promise<string | undefined> {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined);
    if (boot === undefined) return undefined;
    const { dev, ino } = await this.#file.stat({ bigint: true });
    return createHash('sha256').update(`${boot.trim()} ${dev} ${ino}`).digest('hex').slice(0, 32);
  }

  async release(): Promise<void> {
    await this.#file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

async function lock(path: string, file: FileHandle): Promise<'locked' | 'held elsewhere' | 'replaced'> {
  const child = spawn('flock', ['-n', String(handedFd)], { stdio: ['ignore', 'ignore', 'pipe', file.fd] });
  const said = tailOf(child);
  const { code } = await exitOf(child, 'flock');
  if (code === exitHeldElsewhere && said() === '') return 'held elsewhere';
  if (code === 0) return (await isAt(path, file)) ? 'locked' : 'replaced';
  throw new OperatorError('file-unlockable', `${path} cannot be locked`, {
    cause: new Error(said() === '' ? `flock ended with exit code ${code}` : said()),
  });
}

/** Where somebody has removed the file meanwhile, the lock on it keeps nobody away. */
async function isAt(path: string, file: FileHandle): Promise<boolean> {
  const ours = await file.stat({ bigint: true });
  const there = await stat(path, { bigint: true }).catch(() => undefined);
  return there !== undefined && there.ino === ours.ino && there.dev === ours.dev;
}
