import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fsyncDirectory } from '../lib/atomic-file.ts';
import { OperatorError } from '../lib/errors.ts';
import { lostAndFound } from './check-directories.ts';
import { JournalFile } from './journal-file.ts';
import { type ParsedJournal, parseJournal } from './journal-lines.ts';
import { recall } from './journal-recall.ts';
import { incompleteMarker, restoreJournal } from './layout.ts';
import type { RestorePlan } from './plan.ts';
import type { UnpackOutput } from './unpack-object.job.ts';
import { writingLater } from './write-error.ts';

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
  /** The restore reuses what was there before. */
  readonly reuse: boolean;
  /** What there was before has been set aside. */
  isSetAside = false;
  /** `postgresql.auto.conf` as it is in the backup, once it may have been written to. */
  autoConf: string | undefined;
  readonly #roots: readonly string[];
  #parts = new Map<string, UnpackOutput>();
  readonly #file: JournalFile;

  private constructor(roots: readonly string[], reuse: boolean, file: JournalFile) {
    this.#roots = roots;
    this.reuse = reuse;
    this.#file = file;
  }

  get path(): string {
    return this.#file.path;
  }

  /** Begins one, durably. */
  static async create(plan: RestorePlan, reuse: boolean): Promise<RestoreJournal> {
    const path = pathFor(plan);
    return writingLater(path, async () => {
      await using opened = new AsyncDisposableStack();
      const file = opened.use(await JournalFile.create(path));
      const journal = await new RestoreJournal(rootsOf(plan), reuse, file).#begin(plan);
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
    const file = opened.use(await JournalFile.openOwn(path));
    const text = await file.text();
    const parsed = text === '' && (reuse || (await isAlone(path))) ? undefined : parseJournal(text, roots.length);
    const journal = new RestoreJournal(roots, parsed?.head.reuse ?? reuse, file);
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
    await this.#file.append({ part: key, files: done.files, plainBytes: done.plainBytes, links });
  }

  async noteSetAside(): Promise<void> {
    this.isSetAside = true;
    await this.#file.append({ setAside: true });
    await this.#file.sync();
  }

  async noteAutoConf(text: string): Promise<void> {
    this.autoConf = text;
    await this.#file.append({ autoConf: text });
    await this.#file.sync();
  }

  /** `sync` makes everything durable that has been written so far; false: it cannot. */
  async makeDurable(sync: () => Promise<boolean>): Promise<void> {
    const parts = this.#parts.size;
    if (!(await sync())) return;
    await this.#file.append({ durable: parts });
    await this.#file.sync();
  }

  /** The restore is done, all but the last step. */
  async remove(): Promise<void> {
    await this.#file.remove();
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }

  async #begin(plan: RestorePlan): Promise<this> {
    await this.#file.append({ format: 1, backup: plan.entry.key, plan: digestOf(plan), reuse: this.reuse });
    await this.#file.append({ boot: await bootId() });
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
    const boot = await bootId();
    const { isSetAside, autoConf, parts, isNewBoot } = recall(lines, this.#roots, boot);
    this.isSetAside = isSetAside;
    this.autoConf = autoConf;
    this.#parts = parts;
    if (untouched !== undefined && (!this.reuse || isSetAside)) throw foreign(path, `${untouched} is not of it`, head.backup);
    await this.#file.cutTo(bytes);
    if (isNewBoot) await this.#file.append({ boot });
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

function foreign(path: string, why: string, backup: string): OperatorError {
  return new OperatorError('restore-journal-foreign', `the restore that was stopped there cannot go on: ${why} (${path})`, {
    hint: `Finish that one with --basebackup ${backup.split('/').at(-1)} and its --tablespace-dir, or begin anew with --overwrite.`,
  });
}
