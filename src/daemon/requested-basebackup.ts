import { readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { formatTimestamp, parseTimestamp } from '../catalog/timestamp.ts';
import { fsyncDirectory, writeFileAtomic } from '../lib/atomic-file.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf, OperatorError, systemErrorCode } from '../lib/errors.ts';
import { formatJson } from '../lib/json.ts';
import type { Log } from '../lib/log.ts';

/** What the file holds. Times are in the form in which base backups have their decision time as metadata. */
const fileContent = z.object({
  /** Since when one is wanted that has not been begun. */
  wanted_since: z.string().nullable(),
  /** The one that is being taken because it was asked for. */
  begun: z.object({ wanted_since: z.string(), decision_time: z.string() }).nullable(),
});
type Content = z.output<typeof fileContent>;

export interface RequestedBasebackupDeps {
  readonly site: string;
  readonly file: string;
  readonly clock: Clock;
  readonly log: Log;
}

const nothing: Content = { wanted_since: null, begun: null };

/**
 * The base backup that somebody asked for. It is kept in a file until it is complete: neither a restart nor a failure nor maintenance loses it. Requests that come
 * before it is begun are one; what comes after that wants another one.
 */
export class RequestedBasebackup {
  readonly #deps: RequestedBasebackupDeps;
  #content: Content;
  /** Begun by an earlier process: only the store knows what became of it. */
  #isUncertain: boolean;
  #writing: Promise<void> = Promise.resolve();

  static async open(deps: RequestedBasebackupDeps): Promise<RequestedBasebackup> {
    const content = await read(deps);
    if (content !== nothing) deps.log.info({ site: deps.site }, 'a base backup was requested before pghoard was started');
    return new RequestedBasebackup(deps, content);
  }

  private constructor(deps: RequestedBasebackupDeps, content: Content) {
    this.#deps = deps;
    this.#content = content;
    this.#isUncertain = content.begun !== null;
  }

  /** One is to be begun. */
  get isWanted(): boolean {
    return this.#content.wanted_since !== null;
  }

  /** Since when somebody waits for one, begun or not. */
  get waitingSince(): Date | undefined {
    const since = this.#content.begun?.wanted_since ?? this.#content.wanted_since;
    return since === null ? undefined : parseTimestamp(since);
  }

  /** Once this resolves the request is not lost any more. Rejects with `spool-unusable`. */
  async request(): Promise<void> {
    const { clock, file, site, log } = this.#deps;
    const isNew = !this.isWanted;
    const before = this.#content;
    this.#content = { ...before, wanted_since: before.wanted_since ?? formatTimestamp(clock.now()) };
    try {
      await this.#write();
    } catch (error) {
      this.#content = { ...this.#content, wanted_since: before.wanted_since };
      throw new OperatorError('spool-unusable', `the request for a base backup cannot be kept in ${file}`, {
        cause: error,
        retryable: true,
      });
    }
    if (isNew) log.info({ site }, 'a base backup is requested');
  }

  /** It is what is being taken now, to be known again by its decision time. */
  async begin(decisionTime: Date): Promise<void> {
    const { wanted_since: since } = this.#content;
    if (since === null) return;
    this.#content = { wanted_since: null, begun: { wanted_since: since, decision_time: formatTimestamp(decisionTime) } };
    await this.#writeOrTell();
  }

  /** What was begun is complete, or is wanted as before. */
  async end(isComplete: boolean): Promise<void> {
    const { begun, wanted_since: since } = this.#content;
    if (begun === null) return;
    this.#content = { wanted_since: isComplete ? since : begun.wanted_since, begun: null };
    await this.#writeOrTell();
  }

  /** Looks among the base backups that are there for the one that an earlier process had begun. */
  async lookFor(stored: readonly { readonly metadata: Readonly<Record<string, string>> }[]): Promise<void> {
    if (!this.#isUncertain) return;
    this.#isUncertain = false;
    const decisionTime = this.#content.begun?.decision_time;
    await this.end(stored.some(({ metadata }) => metadata['backup-decision-time'] === decisionTime));
  }

  /** At worst the next start takes it once more. */
  async #writeOrTell(): Promise<void> {
    const { site, log } = this.#deps;
    await this.#write().catch((error: unknown) =>
      log.warn({ site }, `cannot note what became of a requested base backup: ${messageOf(error)}`),
    );
  }

  /** One after the other, each with what is to be known by then. */
  #write(): Promise<void> {
    const written = this.#writing.then(() => keep(this.#deps.file, this.#content));
    this.#writing = written.catch(() => {});
    return written;
  }
}

async function keep(file: string, content: Content): Promise<void> {
  if (content.wanted_since !== null || content.begun !== null) {
    await writeFileAtomic(file, formatJson(content));
    return;
  }
  await rm(file, { force: true });
  await fsyncDirectory(dirname(file));
}

/** What cannot be understood was written because somebody wanted one. */
async function read({ file, site, clock, log }: RequestedBasebackupDeps): Promise<Content> {
  try {
    return fileContent.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return nothing;
    log.warn({ site, file }, `a base backup was requested, but not all of it can be read: ${messageOf(error)}`);
    return { wanted_since: formatTimestamp(clock.now()), begun: null };
  }
}
