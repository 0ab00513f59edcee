import { availableParallelism } from 'node:os';
import type { JobRunner, RunOptions } from '../codec/pool.ts';
import type { Clock } from '../lib/clock.ts';
import { isOperatorError, messageOf, OperatorError } from '../lib/errors.ts';
import { forEachLimited } from '../lib/limiter.ts';
import { type RetryPolicy, retry } from '../lib/retry.ts';
import { batchesIn, listFiles } from './delta-files.ts';
import type { RestoreJournal } from './journal.ts';
import { lanesFor, type Work } from './lanes.ts';
import { placeDeltaFiles } from './place-delta-files.job.ts';
import type { RestorePlan } from './plan.ts';
import { type UnpackOutput, type UnpackReport, unpackObject } from './unpack-object.job.ts';
import type { PendingLink } from './unpacker.ts';

export interface UnpackDeps {
  readonly pool: JobRunner;
  readonly signal: AbortSignal;
  /** Members keep the owners they had at the source. Only root can do that. */
  readonly keepOwners: boolean;
  readonly journal: RestoreJournal;
  /** Part of it has been done before. */
  readonly isResumed: boolean;
  /** Makes what has been written so far durable; false: it cannot. */
  readonly sync: () => Promise<boolean>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Stored bytes done since the last call; negative where an object is begun again. */
  readonly onStoredBytes: (bytes: number) => void;
  readonly onRetry: (key: string, error: unknown) => void;
}

export interface Unpacked {
  readonly files: number;
  readonly plainBytes: number;
  readonly links: readonly PendingLink[];
}

/** An object is fetched again from its start where the store broke off or a worker died. */
const retryPolicy: RetryPolicy = { attemptsMax: 6, delayMsFirst: 500, delayMsMax: 10_000 };

/** So often what has been done is made durable, in order that a crash of the machine does not cost more. */
const durableEveryMs = 60_000;

/** Something to be fetched. */
interface Task {
  /** Of the object that it comes from. */
  readonly key: string;
  /** It is a part of the plan, and noted when it is done. */
  readonly isPart: boolean;
  readonly run: (options: RunOptions) => Promise<UnpackOutput>;
}

/**
 * Fetches and unpacks everything in the plan that the journal does not have as done, as many objects at once as the pool has threads.
 * The first failure stops the others.
 */
export async function unpack(plan: RestorePlan, deps: UnpackDeps): Promise<Unpacked> {
  const failure = new AbortController();
  const signal = AbortSignal.any([deps.signal, failure.signal]);
  let files = 0;
  let plainBytes = 0;
  const links: PendingLink[] = [];
  const count = (done: UnpackOutput) => {
    files += done.files;
    plainBytes += done.plainBytes;
    links.push(...done.links);
  };
  for (const part of plan.parts) {
    const done = deps.journal.finished(part.key);
    if (done) count(done);
    if (done) deps.onStoredBytes(part.storedBytes ?? 0);
  }
  let durableMs = deps.clock.monotonicMs();
  await forEachLimited(tasksOf(plan, deps), lanesFor(workOf(plan, deps.journal), deps.pool.threads), async (task) => {
    try {
      const done = await repeated(task, { ...deps, signal });
      count(done);
      if (task.isPart) await deps.journal.finish(task.key, done);
      if (deps.clock.monotonicMs() - durableMs < durableEveryMs) return;
      durableMs = deps.clock.monotonicMs();
      await deps.journal.makeDurable(deps.sync);
    } catch (error) {
      if (!signal.aborted) failure.abort(partFailed(task.key, error));
      throw signal.reason;
    }
  });
  return { files, plainBytes, links };
}

function workOf({ parts, delta, storedBytes, fileCount = 0, source }: RestorePlan, journal: RestoreJournal): Work {
  const done = parts.filter(({ key }) => journal.finished(key));
  return {
    storedBytes: done.reduce((bytes, part) => bytes - (part.storedBytes ?? 0), storedBytes),
    objects: parts.length - done.length + (delta ? fileCount : 0),
    isLocal: source.storage.storage_type === 'local',
    processors: availableParallelism(),
  };
}

async function* tasksOf(plan: RestorePlan, deps: UnpackDeps): AsyncGenerator<Task> {
  const { layout, delta } = plan;
  const { pool, keepOwners, journal, isResumed } = deps;
  const { reuse } = journal;
  // Makes the directories, to which the archives then give modes of their own.
  const list = delta && (await listFiles(layout, delta, deps));
  for (const object of plan.parts) {
    if (journal.finished(object.key)) continue;
    yield { key: object.key, isPart: true, run: (options) => pool.run(unpackObject, { object, layout, keepOwners, reuse }, options) };
  }
  if (!delta || list === undefined) return;
  const { deltaFilesPrefix } = plan.source.catalog.keys;
  for await (const files of batchesIn(list)) {
    const [{ hexdigest } = {}] = files;
    const { storage, privateKeys } = delta.main;
    const object = hexdigest === undefined ? undefined : { storage, privateKeys, key: deltaFilesPrefix + hexdigest };
    const input = { files, object, layout, keepOwners, reuse, mayBeThere: reuse || isResumed, attributes: delta.attributes?.file };
    yield { key: object?.key ?? delta.main.key, isPart: false, run: (options) => pool.run(placeDeltaFiles, input, options) };
  }
}

function repeated(task: Task, { signal, onStoredBytes, onRetry }: UnpackDeps): Promise<UnpackOutput> {
  let storedBytes = 0;
  const count = (bytes: number) => {
    storedBytes += bytes;
    onStoredBytes(bytes);
  };
  return retry(() => task.run({ signal, onReport: (report) => count((report as UnpackReport).storedBytes) }), retryPolicy, {
    signal,
    onRetry: (error) => {
      count(-storedBytes);
      onRetry(task.key, error);
    },
  });
}

function partFailed(key: string, error: unknown): unknown {
  if (!isOperatorError(error)) return error;
  if (error.code === 'object-missing') {
    return new OperatorError('basebackup-incomplete', `the object ${key} of the base backup is not in the store`, {
      cause: error,
      hint: 'Restore another base backup: this one cannot be completed.',
    });
  }
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return new OperatorError(error.code, `cannot restore from ${key}: ${messageOf(error)}`, { cause: error.cause, ...hint });
}
