import type { UnsealOptions } from '../../src/codec/codec-options.ts';
import { Unsealer } from '../../src/codec/unseal.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import type { TarMember } from '../../src/tar/header.ts';
import { TarReader } from '../../src/tar/reader.ts';

export interface ArchivedMember extends TarMember {
  readonly content: Buffer;
}

/** All members of a sealed tar archive, in their order and with their contents: for small archives. */
export async function openArchive(bytes: AsyncIterable<Uint8Array>, unseal: UnsealOptions): Promise<ArchivedMember[]> {
  const members: ArchivedMember[] = [];
  let pieces: Buffer[] = [];
  let current: TarMember | undefined;
  const reader = new TarReader({
    member: (member) => {
      current = member;
      pieces = [];
    },
    data: (piece) => void pieces.push(Buffer.from(piece)),
    end: () => {
      if (current) members.push({ ...current, content: Buffer.concat(pieces) });
    },
  });
  using unsealer = new Unsealer(unseal, (piece) => reader.update(piece));
  for await (const piece of bytes) await unsealer.update(piece);
  await unsealer.finish();
  reader.finish();
  return members;
}

/** The archive stored under `key`, unsealed as its metadata says. */
export async function openStoredArchive(store: ObjectStore, key: string, privateKey?: string): Promise<ArchivedMember[]> {
  const { entry, bytes } = await store.get(key);
  const compression = entry.metadata['compression-algorithm'] as UnsealOptions['compression'];
  const encrypted = entry.metadata['encryption-key-id'] !== undefined;
  return openArchive(bytes, { ...(compression && { compression }), ...(encrypted && privateKey !== undefined && { privateKey }) });
}
