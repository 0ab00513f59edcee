import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../../lib/clock.ts';
import { isOperatorError, OperatorError } from '../../../lib/errors.ts';
import { sourceOfBytes } from '../../../storage/object-source.ts';
import type { ObjectStore } from '../../../storage/object-store.ts';

export const probeSteps = ['put', 'head', 'get', 'range', 'list', 'delete'] as const;
export type ProbeStep = (typeof probeSteps)[number];

/** What came of one request of each kind. */
export interface ProbeFacts {
  /** Those that went well, with how long they took. */
  readonly tookMs: ReadonlyMap<ProbeStep, number>;
  /** The first that did not; those after it were not tried, but for the deletion. */
  readonly failed: { readonly step: ProbeStep; readonly error: unknown } | undefined;
  /** How far the clock of the store is ahead of ours, and how inexact that is. */
  readonly clock: { readonly aheadMs: number; readonly inexactMs: number } | undefined;
  /** A lock kept the object. */
  readonly isLocked: boolean;
}

const key = 'probe';
const text = 'pghoard check was here';

/** Tries one object: each step needs what the one before it made. */
export async function probe(store: ObjectStore, clock: Clock): Promise<ProbeFacts> {
  const tookMs = new Map<ProbeStep, number>();
  let around: { before: Date; after: Date; stored: Date } | undefined;
  let failed: ProbeFacts['failed'];
  let isLocked = false;
  const steps: Readonly<Record<ProbeStep, () => Promise<void>>> = {
    put: async () => {
      const before = clock.now();
      const { lastModified } = await store.put(key, sourceOfBytes(Buffer.from(text)), { metadata: { kind: 'probe' } });
      around = { before, after: clock.now(), stored: lastModified };
    },
    head: async () => {
      const { size, metadata, lastModified } = await store.head(key);
      expectSame([size, metadata['kind']], [text.length, 'probe'], 'the object is there, but not as it was stored');
      if (around) around = { ...around, stored: lastModified };
    },
    get: async () => expectSame(await textOf(store), text, 'what came back is not what was stored'),
    range: async () =>
      expectSame(await textOf(store, { start: 8, end: 13 }), 'check', 'the part that came back is not the one that was asked for'),
    list: async () => {
      const names: string[] = [];
      for await (const object of store.list('')) names.push(object.key);
      expectSame(names, [key], 'the listing does not have what was stored');
    },
    delete: async () => {
      isLocked = await isKept(store);
    },
  };
  for (const step of probeSteps) {
    if (failed && step !== 'delete') continue;
    const beganAtMs = clock.monotonicMs();
    try {
      await steps[step]();
      tookMs.set(step, clock.monotonicMs() - beganAtMs);
    } catch (error) {
      failed ??= { step, error };
    }
  }
  return { tookMs, failed, clock: around && aheadOf(around), isLocked };
}

function expectSame(found: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(found, expected)) throw new OperatorError('store-failed', what);
}

async function textOf(store: ObjectStore, range?: { start: number; end: number }): Promise<string> {
  const { bytes } = await store.get(key, range ? { range } : {});
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

async function isKept(store: ObjectStore): Promise<boolean> {
  try {
    await store.delete(key);
    return false;
  } catch (error) {
    if (isOperatorError(error, 'object-locked')) return true;
    throw error;
  }
}

/** Stores tell whole seconds at times. */
function aheadOf({ before, after, stored }: { before: Date; after: Date; stored: Date }): NonNullable<ProbeFacts['clock']> {
  const middleMs = (before.getTime() + after.getTime()) / 2;
  return { aheadMs: stored.getTime() - middleMs, inexactMs: (after.getTime() - before.getTime()) / 2 + 1000 };
}
