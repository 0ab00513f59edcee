import { isOperatorError, OperatorError } from '../lib/errors.ts';
import { inBatches } from '../lib/in-batches.ts';
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

/** Until when a lock keeps what could not be deleted, as far as the store tells. Any other failure is thrown again. */
export function lockedUntil(error: unknown): Date | undefined {
  if (!isOperatorError(error, 'object-locked')) throw error;
  return error instanceof ObjectLockedError ? error.until : undefined;
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
      locked.push({ key, until: lockedUntil(error) });
    }
  });
  return locked;
}

/** What locks keep although it was to be deleted. */
export interface LockedSummary {
  readonly objects: number;
  /** The last moment at which one of the locks ends, as far as the store tells. */
  readonly until: Date | undefined;
}

export const noneLocked: LockedSummary = { objects: 0, until: undefined };

export function addLocked(summary: LockedSummary, more: LockedSummary): LockedSummary {
  return { objects: summary.objects + more.objects, until: later(summary.until, more.until) };
}

export function summaryOfLocked(locked: readonly Pick<LockedObject, 'until'>[]): LockedSummary {
  let summary = noneLocked;
  for (const { until } of locked) summary = addLocked(summary, { objects: 1, until });
  return summary;
}

export interface DeleteAllOptions extends RequestOptions {
  /** Told of each batch that was deleted, with what locks keep of it. */
  readonly onBatch?: (keys: readonly string[], locked: readonly LockedObject[]) => void;
}

/** Deletes any number of keys, in batches, while they are still coming in. In which order those of a batch go is left to the store. */
export async function deleteAll(
  store: Pick<ObjectStore, 'deleteMany'>,
  keys: Iterable<string> | AsyncIterable<string>,
  { signal, onBatch = () => {} }: DeleteAllOptions = {},
): Promise<LockedSummary> {
  let summary = noneLocked;
  for await (const batch of inBatches(keys, deleteManyMax)) {
    const locked = await store.deleteMany(batch, { signal });
    onBatch(batch, locked);
    summary = addLocked(summary, summaryOfLocked(locked));
  }
  return summary;
}

function later(a: Date | undefined, b: Date | undefined): Date | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a > b ? a : b;
}
