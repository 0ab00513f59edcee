import { tarBlockBytes, tarPaddingOf } from '../tar/header.ts';
import type { FoundEntry } from './walk.ts';

export interface Chunk {
  /** From 1. */
  readonly number: number;
  readonly members: readonly FoundEntry[];
  /** Of the first members: directories that an earlier chunk has too. */
  readonly repeated: number;
}

/** A chunk fuller than this part of the target is closed rather than overfilled. */
const closableShare = 1 / 5;

/**
 * Cuts a walk into chunks of about `targetBytes` of tar. Files are never split, so one huge file makes one huge chunk.
 * Each chunk begins with the directories that enclose its first new member, so that it can be unpacked by itself.
 */
export async function* splitIntoChunks(
  entries: AsyncIterable<FoundEntry>,
  limits: { readonly targetBytes: number; readonly membersMax: number },
): AsyncGenerator<Chunk> {
  const enclosing: FoundEntry[] = [];
  let number = 1;
  let members: FoundEntry[] = [];
  let repeated = 0;
  let bytes = 0;
  for await (const entry of entries) {
    while (enclosing.length > 0 && !entry.path.startsWith(`${enclosing.at(-1)?.path}/`)) enclosing.pop();
    const entryBytes = tarBytesOf(entry);
    const isFull = bytes > limits.targetBytes * closableShare && bytes + entryBytes > limits.targetBytes;
    if (members.length > repeated && (isFull || members.length >= limits.membersMax)) {
      yield { number: number++, members, repeated };
      members = [...enclosing];
      repeated = members.length;
      bytes = members.reduce((sum, member) => sum + tarBytesOf(member), 0);
    }
    members.push(entry);
    bytes += entryBytes;
    if (entry.type === 'directory') enclosing.push(entry);
  }
  if (members.length > repeated) yield { number, members, repeated };
}

function tarBytesOf(entry: FoundEntry): number {
  return tarBlockBytes + entry.size + tarPaddingOf(entry.size);
}
