import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { isOperatorError, OperatorError, systemErrorCode } from '../lib/errors.ts';
import { FileLock } from '../lib/file-lock.ts';
import { writingLater } from './write-error.ts';

/** More than the largest backup fills. */
const journalBytesMax = 256 * 1024 * 1024;

/** The file of a journal: locked against another restore, and appended to one line after the other. */
export class JournalFile implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #lock: FileLock | undefined;
  #appended: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle, lock: FileLock | undefined) {
    this.path = path;
    this.#file = file;
    this.#lock = lock;
  }

  /** Rejects where there is one. */
  static async create(path: string): Promise<JournalFile> {
    return JournalFile.#locked(path, await open(path, 'ax+', 0o600));
  }

  /**
   * Opens the one that is there. Rejects with `restore-journal-invalid` where somebody else could have written it, and with `target-in-use` while another restore
   * has it open.
   */
  static async openOwn(path: string): Promise<JournalFile> {
    return JournalFile.#locked(path, await openOwn(path));
  }

  static async #locked(path: string, file: FileHandle): Promise<JournalFile> {
    await using opened = new AsyncDisposableStack();
    opened.use(file);
    const lock = await lockOf(path);
    opened.move();
    return new JournalFile(path, file, lock);
  }

  async text(): Promise<string> {
    try {
      return await this.#file.readFile('utf8');
    } catch (error) {
      throw journalInvalid(this.path, 'it cannot be read', error);
    }
  }

  /** One JSON text to a line; not durable yet. */
  append(line: object): Promise<void> {
    this.#appended = this.#appended.then(() => writingLater(this.path, () => this.#file.appendFile(`${JSON.stringify(line)}\n`)));
    return this.#appended;
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async cutTo(bytes: number): Promise<void> {
    await writingLater(this.path, () => this.#file.truncate(bytes));
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#appended.catch(() => {});
    await this.#file.close();
    await this.#lock?.release();
  }
}

export function journalInvalid(path: string, why: string, cause?: unknown): OperatorError {
  return new OperatorError(
    'restore-journal-invalid',
    `the restore that was stopped there cannot go on: its journal ${path} is of no use, ${why}`,
    {
      ...(cause !== undefined && { cause }),
      hint: 'Begin anew with --overwrite, which empties the directory first.',
    },
  );
}

/** Undefined where there is no program to lock with. */
async function lockOf(path: string): Promise<FileLock | undefined> {
  try {
    const lock = await FileLock.take(path);
    if (lock) return lock;
  } catch (error) {
    if (isOperatorError(error, 'program-missing')) return undefined;
    throw error;
  }
  throw new OperatorError('target-in-use', `another pghoard_restore is filling the directory of ${path}`, {
    hint: 'Wait until it has ended, or stop it: the same command goes on where it stopped.',
  });
}

/** A file that nobody else could have written. */
async function openOwn(path: string): Promise<FileHandle> {
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch((error: unknown) => {
    throw systemErrorCode(error) === undefined ? error : journalInvalid(path, 'it cannot be opened', error);
  });
  const there = await file.stat();
  const isOurs = there.isFile() && there.nlink === 1 && (there.mode & 0o022) === 0 && there.uid === process.getuid?.();
  if (isOurs && there.size <= journalBytesMax) return file;
  await file.close();
  throw journalInvalid(path, isOurs ? 'it is too long' : 'it is no file that only this user can write to');
}
