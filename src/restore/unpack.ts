import type { CodecPool } from '../codec/pool.ts';
import { isOperatorError, messageOf, OperatorError } from '../lib/errors.ts';
import { forEachLimited } from '../lib/limiter.ts';
import { type RetryPolicy, retry } from '../lib/retry.ts';
import type { RestorePlan } from './plan.ts';
import type { StoredObject } from './stored-object.ts';
import { type UnpackOutput, type UnpackReport, unpackObject } from './unpack-object.job.ts';
import type { PendingLink } from './unpacker.ts';

export interface UnpackDeps {
  readonly pool: CodecPool;
  readonly signal: AbortSignal;
  /** Members keep the owners they had at the source. Only root can do that. */
  readonly keepOwners: boolean;
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

/** Fetches and unpacks all objects of the plan, as many at once as the pool has threads. The first failure stops the others. */
export async function unpack(plan: RestorePlan, deps: UnpackDeps): Promise<Unpacked> {
  const failure = new AbortController();
  const signal = AbortSignal.any([deps.signal, failure.signal]);
  const done: UnpackOutput[] = [];
  await forEachLimited(plan.parts, deps.pool.threads, async (object) => {
    try {
      done.push(await unpackOne(object, plan, { ...deps, signal }));
    } catch (error) {
      if (!signal.aborted) failure.abort(partFailed(object.key, error));
      throw signal.reason;
    }
  });
  return {
    files: done.reduce((sum, output) => sum + output.files, 0),
    plainBytes: done.reduce((sum, output) => sum + output.plainBytes, 0),
    links: done.flatMap((output) => output.links),
  };
}

function unpackOne(object: StoredObject, { layout }: RestorePlan, deps: UnpackDeps): Promise<UnpackOutput> {
  const { pool, signal, keepOwners } = deps;
  let storedBytes = 0;
  const count = (bytes: number) => {
    storedBytes += bytes;
    deps.onStoredBytes(bytes);
  };
  return retry(
    () =>
      pool.run(unpackObject, { object, layout, keepOwners }, { signal, onReport: (report) => count((report as UnpackReport).storedBytes) }),
    retryPolicy,
    {
      signal,
      onRetry: (error) => {
        count(-storedBytes);
        deps.onRetry(object.key, error);
      },
    },
  );
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
