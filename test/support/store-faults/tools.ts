import assert from 'node:assert/strict';
import { isOperatorError, messageOf } from '../../../src/lib/errors.ts';
import { bytesOf, collect, patternSource, read } from '../../../src/storage/contract-tools.ts';
import type { ObjectSource, ObjectStore } from '../../../src/storage/object-store.ts';
import { withRetry } from '../../../src/storage/with-retry.ts';
import type { FaultWorld } from './fault-world.ts';

export const metadata = { 'start-time': '2026-11-22T23:39:52+00:00' };

/** Longer than any patience that a driver is given in these tests, by far. */
export const hangMs = 30_000;

/** The layers' second and further attempts, without their waiting. */
export function repeating(store: ObjectStore): ObjectStore {
  return withRetry(store, { attemptsMax: 5, delayMsFirst: 1, delayMsMax: 2 });
}

/** A body that an upload in parts cuts into three. */
export function threeParts({ partBytes }: FaultWorld): { readonly source: ObjectSource; readonly size: number } {
  const size = 2 * partBytes + 1_234;
  return { source: patternSource(size).source, size };
}

export async function assertHasPattern(store: ObjectStore, key: string, size: number): Promise<void> {
  const { matches } = patternSource(size);
  let position = 0;
  for await (const piece of (await store.get(key)).bytes) {
    assert.ok(matches(piece, position), `bytes differ after ${position}`);
    position += piece.length;
  }
  assert.equal(position, size);
  assert.equal((await store.head(key)).size, size);
}

/** The failure of a request, which must be one that an operator can read, and must come in time. */
export async function failureOf(work: Promise<unknown>): Promise<{ code: string; retryable: boolean; retryAfterMs: number | undefined }> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${hangMs} ms`)), hangMs).unref();
  });
  try {
    await Promise.race([work, late]);
  } catch (error) {
    assert.ok(isOperatorError(error), `not for an operator: ${messageOf(error)}`);
    return error;
  }
  throw new assert.AssertionError({ message: 'it succeeded' });
}

export async function assertMissing(store: ObjectStore, key: string): Promise<void> {
  await assert.rejects(store.head(key), { code: 'object-missing' });
  assert.deepEqual(await collect(store.list(key)), []);
}

/** Nothing of an upload that failed takes room for ever. */
export async function assertNoLeftovers(store: ObjectStore): Promise<void> {
  const before = new Date(Number.MAX_SAFE_INTEGER / 2);
  assert.equal(await store.removeUnfinished('', { before }), 0);
}

export { bytesOf, collect, read };
