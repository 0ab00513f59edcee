import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, systemClock } from '../lib/clock.ts';
import { isOperatorError, messageOf, systemErrorCode } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { Urgency } from '../lib/urgency.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import type { ArchiveResult, WalArchiver } from './archive.ts';
import { fileIdentity } from './file-identity.ts';
import { namesAhead } from './names-ahead.ts';
import { untilAborted } from './until-aborted.ts';
import type { ClusterFacts } from './wal-source.ts';

export interface ReadyAheadDeps {
  readonly site: string;
  readonly archiver: Pick<WalArchiver, 'archive' | 'archiveAhead'>;
  readonly cluster: () => ClusterFacts;
  /** How many files are worked on ahead, at most. See {@link filesAheadMax}. */
  readonly filesMax: number;
  readonly log: Log;
  readonly clock?: Clock;
}

/** What may become of a file ahead of being asked for. `failed-for-now`: trying again may help. */
type Outcome = 'stored' | 'failed-for-now' | 'failed';

interface FileAhead {
  /** See {@link fileIdentity}, before it was read. */
  readonly identity: string;
  readonly urgency: Urgency;
  readonly abort: AbortController;
  readonly outcome: Promise<Outcome>;
  settled?: { readonly outcome: Outcome; readonly atMs: number };
}

/** Sealed WAL that may lie in the spool ahead of being asked for, before compression. */
const bytesAheadMax = 1024 ** 3;
const filesAheadLimit = 32;
/** What was stored longer ago is compared with the store again: somebody may have removed it there. */
const rememberedMsMax = 5 * 60_000;

/**
 * How many files keep everything busy: one in each sealing thread, one in each upload, and as many of which the store is asked whether it has
 * them. More would only wait in queues.
 */
export function filesAheadMax(sealingThreads: number, uploadThreads: number): number {
  return Math.min(sealingThreads + 2 * uploadThreads, filesAheadLimit);
}

/**
 * archive_command is asked for one file at a time, although PostgreSQL has marked more of them as finished: `archive_status/NAME.ready`.
 * After each success the segments that follow and are so marked are archived in parallel, so that the command for them returns at once.
 *
 * The names are those that come next, which costs one look for each segment however many thousand are waiting; what does not follow, such as
 * a history file or the first segment of a timeline, is archived when PostgreSQL asks for it. Nothing is lost by a failure ahead, or by a crash:
 * PostgreSQL asks for every file.
 */
export class ReadyAhead implements Pick<WalArchiver, 'archive'> {
  readonly #deps: ReadyAheadDeps;
  readonly #clock: Clock;
  readonly #files = new Map<string, FileAhead>();
  #looking = false;
  #hasEnded = false;
  #cannotLook = false;

  constructor(deps: ReadyAheadDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
  }

  /** As {@link WalArchiver.archive}. */
  async archive(name: string, path: string, signal?: AbortSignal): Promise<ArchiveResult> {
    const result = (await this.#takeAhead(name, path, signal)) ?? (await this.#deps.archiver.archive(name, path, signal));
    void this.#lookAhead(name, dirname(path));
    return result;
  }

  /** Begins nothing more, and ends what nobody has asked for. */
  stop(): void {
    this.#hasEnded = true;
    for (const { urgency, abort } of this.#files.values()) if (!urgency.isUrgent) abort.abort();
  }

  /** `undefined`: the file has not been stored ahead as it is now. */
  async #takeAhead(name: string, path: string, signal: AbortSignal | undefined): Promise<ArchiveResult | undefined> {
    const file = this.#files.get(name);
    if (file === undefined) return undefined;
    file.urgency.hurry();
    await untilAborted(file.outcome, signal);
    this.#files.delete(name);
    return this.#isCurrent(file) && (await fileIdentity(path)) === file.identity ? 'stored' : undefined;
  }

  #isCurrent({ settled }: FileAhead): boolean {
    return settled?.outcome === 'stored' && this.#clock.monotonicMs() - settled.atMs < rememberedMsMax;
  }

  async #lookAhead(name: string, directory: string): Promise<void> {
    const { segmentBytes } = this.#deps.cluster();
    if (this.#looking || segmentBytes === undefined || classifyWalFile(name) !== 'segment') return;
    this.#looking = true;
    try {
      const count = Math.min(this.#deps.filesMax, Math.max(1, Math.floor(bytesAheadMax / segmentBytes)));
      const names = namesAhead(name, segmentBytes, count);
      this.#forgetOthers(names);
      for (const next of names) if (!(await this.#begin(next, directory))) break;
    } finally {
      this.#looking = false;
    }
  }

  /** What PostgreSQL did not ask for in its turn, and what may succeed now that another file did. */
  #forgetOthers(names: readonly string[]): void {
    for (const [name, { settled }] of this.#files) {
      if (settled && (settled.outcome === 'failed-for-now' || !names.includes(name))) this.#files.delete(name);
    }
  }

  /** False: there is no such file that PostgreSQL wants archived. */
  async #begin(name: string, directory: string): Promise<boolean> {
    if (this.#files.has(name)) return true;
    if (this.#hasEnded || this.#files.size >= filesAheadLimit || !(await this.#isReady(name, directory))) return false;
    const path = join(directory, name);
    const identity = await fileIdentity(path);
    if (identity === undefined || this.#hasEnded) return false;
    const [urgency, abort] = [new Urgency(false), new AbortController()];
    const file: FileAhead = { identity, urgency, abort, outcome: this.#archive(name, path, urgency, abort.signal) };
    this.#files.set(name, file);
    void file.outcome.then((outcome) => (file.settled = { outcome, atMs: this.#clock.monotonicMs() }));
    return true;
  }

  async #archive(name: string, path: string, urgency: Urgency, signal: AbortSignal): Promise<Outcome> {
    try {
      await this.#deps.archiver.archiveAhead(name, path, urgency, signal);
      return 'stored';
    } catch (error) {
      this.#deps.log.debug({ site: this.#deps.site, wal: name, because: messageOf(error) }, 'could not archive a WAL file ahead');
      return isOperatorError(error) && error.retryable ? 'failed-for-now' : 'failed';
    }
  }

  async #isReady(name: string, directory: string): Promise<boolean> {
    try {
      await stat(join(directory, 'archive_status', `${name}.ready`));
      return true;
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === undefined) throw error;
      if (code !== 'ENOENT') this.#complain(messageOf(error));
      return false;
    }
  }

  /** Once: the files are archived all the same, one after the other. */
  #complain(why: string): void {
    if (!this.#cannotLook)
      this.#deps.log.info({ site: this.#deps.site }, `WAL is not archived ahead, as archive_status cannot be read: ${why}`);
    this.#cannotLook = true;
  }
}
