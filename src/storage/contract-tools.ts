import { sourceOfBytes } from './object-source.ts';
import type { ByteRange, ObjectSource, ObjectStore } from './object-store.ts';

export interface Fact {
  readonly fact: string;
  /** `essential`: nothing works without it. `create-only`: that of several writers one wins. */
  readonly kind?: 'essential' | 'create-only';
  readonly holds: (store: ObjectStore) => Promise<void>;
}

export function bytesOf(text: string): ObjectSource {
  return sourceOfBytes(Buffer.from(text));
}

/** A whole object, or a part of it, as text. */
export async function read(store: ObjectStore, key: string, range?: ByteRange): Promise<string> {
  const { bytes } = await store.get(key, range ? { range } : {});
  return Buffer.concat(await collect(bytes)).toString();
}

/** A body that breaks off after `goodBytes` of `size`. */
export function failingSource(goodBytes: number, size: number): ObjectSource {
  return {
    size,
    async *open() {
      yield Buffer.alloc(goodBytes, 'x');
      throw new Error('the source failed (injected)');
    },
  };
}

/** A prime, so that no piece and no part of an upload falls on the same bytes twice. */
const patternBytes = 100_003;
const pattern = Buffer.from(Uint8Array.from({ length: patternBytes }, (_, i) => (i * 31 + (i >> 8) * 7) & 0xff));

/** A body whose bytes tell where they belong, made piece by piece. */
export function patternSource(size: number): { source: ObjectSource; matches: (piece: Uint8Array, position: number) => boolean } {
  const source = {
    size,
    async *open() {
      for (let at = 0; at < size; at += patternBytes) yield pattern.subarray(0, Math.min(patternBytes, size - at));
    },
  };
  return { source, matches: matchesPattern };
}

function matchesPattern(piece: Uint8Array, position: number): boolean {
  for (let done = 0; done < piece.length; ) {
    const from = (position + done) % patternBytes;
    const part = piece.subarray(done, done + patternBytes - from);
    if (pattern.compare(part, 0, part.length, from, from + part.length) !== 0) return false;
    done += part.length;
  }
  return true;
}

/** All items of a listing or a body; for small ones. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
