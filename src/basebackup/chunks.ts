import { ChunkFill, type ChunkLimits } from './chunk-fill.ts';
import type { FoundEntry } from './walk.ts';

export interface Chunk {
  /** From 1. */
  readonly number: number;
  readonly members: readonly FoundEntry[];
  /** Of the first members: directories that an earlier chunk has too. */
  readonly repeated: number;
}

/**
 * Cuts a walk into chunks of about `targetBytes` of tar. Files are never split, so one huge file makes one huge chunk.
 * Each chunk begins with the directories that enclose its first new member, so that it can be unpacked by itself.
 */
export async function* splitIntoChunks(entries: AsyncIterable<FoundEntry>, limits: ChunkLimits): AsyncGenerator<Chunk> {
  const fill = new ChunkFill<FoundEntry>(limits);
  let number = 1;
  let members: FoundEntry[] = [];
  let repeated = 0;
  for await (const entry of entries) {
    const enclosing = fill.add(entry);
    if (enclosing) {
      yield { number: number++, members, repeated };
      members = [...enclosing];
      repeated = members.length;
    }
    members.push(entry);
  }
  if (members.length > repeated) yield { number, members, repeated };
}
