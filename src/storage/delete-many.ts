import { isOperatorError, OperatorError } from '../lib/errors.ts';
import { forEachLimited } from '../lib/limiter.ts';
import { deleteManyMax, type LockedObject, type ObjectStore, type RequestOptions } from './object-store.ts';

/** Deletions at once where a store takes no batches. */
const deletionsMax = 8;

/** An `object-locked` error knows until when. */
export class ObjectLockedError extends OperatorError {
  readonly until: Date | undefined;

  constructor(key: string, storeName: string, until: Date | undefined, cause?: unknown) {
    const when = until === undefined ? '' : ` until ${until.toISOString()}`;
    super('object-locked', `${key} in ${storeName} is locked${when}`, {
      cause,
      hint: 'It can be deleted once the lock has ended. Nothing needs to be done: retention tries again.',
    });
    this.until = until;
  }
}

/** {@link ObjectStore.deleteMany} for stores that delete one object a request. */
export async function deleteOneByOne(
  store: Pick<ObjectStore, 'delete'>,
  keys: readonly string[],
  options: RequestOptions,
): Promise<readonly LockedObject[]> {
  const locked: LockedObject[] = [];
  await forEachLimited(keys, deletionsMax, async (key) => {
    try {
      await store.delete(key, options);
    } catch (error) {
      if (!isOperatorError(error, 'object-locked')) throw error;
      locked.push({ key, until: error instanceof ObjectLockedError ? error.until : undefined });
    }
  });
  return locked;
}

/** Deletes any number of keys, in batches, while they are still coming in. Resolves to what a lock keeps: how many, and the last moment at which one ends. */
export async function deleteAll(
  store: ObjectStore,
  keys: Iterable<string> | AsyncIterable<string>,
  options: RequestOptions = {},
): Promise<LockedSummary> {
  const summary: { objects: number; until: Date | undefined } = { objects: 0, until: undefined };
  const deleteBatch = async (batch: readonly string[]) => {
    for (const { until } of await store.deleteMany(batch, options)) {
      summary.objects++;
      if (until !== undefined && (summary.until === undefined || until > summary.until)) summary.until = until;
    }
  };
  for await (const batch of inBatches(keys, deleteManyMax)) await deleteBatch(batch);
  return summary;
}

export interface LockedSummary {
  readonly objects: number;
  readonly until: Date | undefined;
}

async function* inBatches(keys: Iterable<string> | AsyncIterable<string>, max: number): AsyncGenerator<readonly string[]> {
  let batch: string[] = [];
  for await (const key of keys) {
    batch.push(key);
    if (batch.length < max) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
