import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fsyncDirectory } from '../lib/atomic-file.ts';
import { isOperatorError, OperatorError, systemErrorCode } from '../lib/errors.ts';
import { FileLock } from '../lib/file-lock.ts';
import { lostAndFound } from './check-directories.ts';
import { type JournalLine, type ParsedJournal, parseJournal } from './journal-lines.ts';
import { incompleteMarker, restoreJournal } from './layout.ts';
import type { RestorePlan } from './plan.ts';
import type { UnpackOutput } from './unpack-object.job.ts';
import { writingLater } from './write-error.ts';

/** More than the largest backup fills. */
const journalBytesMax = 256 * 1024 * 1024;
const ownNames = new Set([incompleteMarker, restoreJournal, lostAndFound]);

export interface ResumeWishes {
  /** For one that was stopped before its first line. */
  readonly reuse: boolean;
  /** A directory that the restore was not told of, or has not begun with yet. */
  readonly untouched?: string | undefined;
}

/**
 * What a restore has finished so far: a file of one JSON text per line in the data directory, appended to as parts are done and removed before the control file is put in
 * place. It lets the same command go on where a killed one stopped.
 *
 * Lines are not fsynced, and neither is what they tell of: a killed process loses nothing of what it wrote. After a crash of the machine (`boot` differs) only
 * what lies before a `durable` line is believed, which is written after everything has been made durable.
 */
export class RestoreJournal implements AsyncDisposable {
  readonly path: string;
  /** The restore reuses what was there before. */
  readonly reuse: boolean;
  /** What there was before has been set aside. */
  isSetAside = false;
  /** `postgresql.auto.conf` as it is in the backup, once it may have been written to. */
  autoConf: string | undefined;
  readonly #roots: readonly string[];
  readonly #parts = new Map<string, UnpackOutput>();
  readonly #file: FileHandle;
  readonly #lock: FileLock | undefined;
  /** One line after the other. */
  #appended: Promise<void> = Promise.resolve();

  private constructor(path: string, roots: readonly string[], reuse: boolean, file: FileHandle, lock: FileLock | undefined) {
    this.path = path;
    this.#roots = roots;
    this.reuse = reuse;
    this.#file = file;
    this.#lock = lock;
  }

  /** Begins one, durably. */
  static async create(plan: RestorePlan, reuse: boolean): Promise<RestoreJournal> {
    const path = pathFor(plan);
    return writingLater(path, async () => {
      await using opened = new AsyncDisposableStack();
      const file = opened.use(await open(path, 'ax+', 0o600));
      const lock = opened.use(await lockOf(path));
      const journal = await new RestoreJournal(path, rootsOf(plan), reuse, file, lock).#begin(plan);
      opened.move();
      return journal;
    });
  }

  /**
   * Goes on with the one that is there. Rejects with `restore-journal-invalid` where it is damaged or not ours, with `restore-journal-foreign` where it is that of
   * another base backup or of other places, and with `target-in-use` while the restore that writes it runs.
   */
  static async resume(plan: RestorePlan, { reuse, untouched }: ResumeWishes): Promise<RestoreJournal> {
    const path = pathFor(plan);
    const roots = rootsOf(plan);
    await using opened = new AsyncDisposableStack();
    const file = opened.use(await openOwn(path));
    const lock = opened.use(await lockOf(path));
    const text = await textOf(path, file);
    const parsed = text === '' && (reuse || (await isAlone(path))) ? undefined : parseJournal(text, roots.length);
    const journal = new RestoreJournal(path, roots, parsed?.head.reuse ?? reuse, file, lock);
    await (parsed ? journal.#goOn(plan, parsed, untouched) : journal.#begin(plan));
    opened.move();
    return journal;
  }

  /** What came of a part; undefined: it is still to be fetched. */
  finished(key: string): UnpackOutput | undefined {
    return this.#parts.get(key);
  }

  get finishedCount(): number {
    return this.#parts.size;
  }

  /** Everything of this part has been written, though perhaps not to disk yet. */
  async finish(key: string, done: UnpackOutput): Promise<void> {
    this.#parts.set(key, done);
    const links = done.links.map(({ root, relative, target }) => [this.#roots.indexOf(root), relative, target] as const);
    await this.#append({ part: key, files: done.files, plainBytes: done.plainBytes, links });
  }

  async noteSetAside(): Promise<void> {
    this.isSetAside = true;
    await this.#append({ setAside: true });
    await this.#file.sync();
  }

  async noteAutoConf(text: string): Promise<void> {
    this.autoConf = text;
    await this.#append({ autoConf: text });
    await this.#file.sync();
  }

  /** `sync` makes everything durable that has been written so far; false: it cannot. */
  async makeDurable(sync: () => Promise<boolean>): Promise<void> {
    const parts = this.#parts.size;
    if (!(await sync())) return;
    await this.#append({ durable: parts });
    await this.#file.sync();
  }

  /** The restore is done, all but the last step. */
  async remove(): Promise<void> {
    await rm(this.path, { force: true });
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#appended.catch(() => {});
    await this.#file.close();
    await this.#lock?.release();
  }

  async #begin(plan: RestorePlan): Promise<this> {
    await this.#append({ format: 1, backup: plan.entry.key, plan: digestOf(plan), reuse: this.reuse });
    await this.#append({ boot: await bootId() });
    await writingLater(this.path, () => this.#file.sync());
    await fsyncDirectory(plan.layout.dataDirectory);
    return this;
  }

  async #goOn(plan: RestorePlan, { head, lines, bytes }: ParsedJournal, untouched: string | undefined): Promise<void> {
    const { path } = this;
    if (head.backup !== plan.entry.key)
      throw foreign(path, `it is of the base backup ${head.backup}, not of ${plan.entry.key}`, head.backup);
    if (head.plan !== digestOf(plan))
      throw foreign(path, 'the base backup or the places of its tablespaces have changed since', head.backup);
    this.#recall(lines);
    if (untouched !== undefined && (!this.reuse || this.isSetAside)) throw foreign(path, `${untouched} is not of it`, head.backup);
    await writingLater(path, () => this.#file.truncate(bytes));
    await this.#enterBoot(lines);
  }

  #recall(lines: readonly JournalLine[]): void {
    for (const line of lines) {
      if ('setAside' in line) this.isSetAside = true;
      else if ('autoConf' in line) this.autoConf = line.autoConf;
      else if ('part' in line) this.#parts.set(line.part, this.#outputOf(line));
      else if ('boot' in line) this.#forgetUnsure(lines.slice(0, lines.indexOf(line)));
    }
  }

  #outputOf({ files, plainBytes, links }: Extract<JournalLine, { part: string }>): UnpackOutput {
    return { files, plainBytes, links: links.map(([root, relative, target]) => ({ root: this.#roots[root] ?? '', relative, target })) };
  }

  /** The machine was started anew after these lines: of the parts in them only those that had been made durable are there for certain. */
  #forgetUnsure(before: readonly JournalLine[]): void {
    const durable = before.reduce((count, line) => ('durable' in line ? line.durable : count), 0);
    for (const key of [...this.#parts.keys()].slice(durable)) this.#parts.delete(key);
  }

  async #enterBoot(lines: readonly JournalLine[]): Promise<void> {
    const boot = await bootId();
    const last = lines.findLast((line) => 'boot' in line)?.boot;
    if (last === boot && boot !== '') return;
    this.#forgetUnsure(lines);
    await this.#append({ boot });
  }

  #append(line: object): Promise<void> {
    this.#appended = this.#appended.then(() => writingLater(this.path, () => this.#file.appendFile(`${JSON.stringify(line)}\n`)));
    return this.#appended;
  }
}

function pathFor({ layout }: RestorePlan): string {
  return join(layout.dataDirectory, restoreJournal);
}

/** Whether a restore that was stopped before its first line has only begun: nothing else is there. */
async function isAlone(path: string): Promise<boolean> {
  return (await readdir(dirname(path))).every((name) => ownNames.has(name));
}

/** What must be the same for a restore to go on: which objects, and where their files go. */
function digestOf({ layout, parts }: RestorePlan): string {
  const objects = parts.map(({ key, storedBytes, storedSha256, plainBytes }) =>
    JSON.stringify([key, storedBytes, storedSha256, plainBytes]),
  );
  return createHash('sha256')
    .update(JSON.stringify({ layout, objects: objects.toSorted() }))
    .digest('hex');
}

function rootsOf({ layout }: RestorePlan): string[] {
  return [layout.dataDirectory, ...layout.tablespaces.map(({ directory }) => directory)];
}

/** Empty where the machine does not tell. */
async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
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
    throw systemErrorCode(error) === undefined ? error : invalid(path, 'it cannot be opened', error);
  });
  const there = await file.stat();
  const isOurs = there.isFile() && there.nlink === 1 && (there.mode & 0o022) === 0 && there.uid === process.getuid?.();
  if (isOurs && there.size <= journalBytesMax) return file;
  await file.close();
  throw invalid(path, isOurs ? 'it is too long' : 'it is no file that only this user can write to');
}

async function textOf(path: string, file: FileHandle): Promise<string> {
  try {
    return await file.readFile('utf8');
  } catch (error) {
    throw invalid(path, 'it cannot be read', error);
  }
}

function foreign(path: string, why: string, backup: string): OperatorError {
  return new OperatorError('restore-journal-foreign', `the restore that was stopped there cannot go on: ${why} (${path})`, {
    hint: `Finish that one with --basebackup ${backup.split('/').at(-1)} and its --tablespace-dir, or begin anew with --overwrite.`,
  });
}

function invalid(path: string, why: string, cause?: unknown): OperatorError {
  return new OperatorError(
    'restore-journal-invalid',
    `the restore that was stopped there cannot go on: its journal ${path} is of no use, ${why}`,
    {
      ...(cause !== undefined && { cause }),
      hint: 'Begin anew with --overwrite, which empties the directory first.',
    },
  );
}
