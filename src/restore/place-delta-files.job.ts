import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { Attributes } from '../catalog/manifest.ts';
import { readStoredObject, type StoredObject } from '../catalog/stored-object.ts';
import { defineJob, type JobContext } from '../codec/job.ts';
import { OperatorError } from '../lib/errors.ts';
import type { TarMember } from '../tar/header.ts';
import type { DeltaFile } from './delta-file.ts';
import type { Layout } from './layout.ts';
import type { UnpackOutput, UnpackReport } from './unpack-object.job.ts';
import { Unpacker } from './unpacker.ts';

export interface PlaceInput {
  readonly files: readonly DeltaFile[];
  /** What their content is in; undefined: it is embedded. */
  readonly object: StoredObject | undefined;
  readonly layout: Layout;
  readonly keepOwners: boolean;
  readonly reuse: boolean;
  /** Files may be in place already, or set aside: those whose hash is right are not fetched. */
  readonly mayBeThere: boolean;
  /** Undefined: 0600, and the owner is that of this process. */
  readonly attributes: Attributes | undefined;
}

const fileMode = 0o600;
/** By which delta backups name contents. */
const contentHash = 'blake2s256';
const readBytes = 1024 * 1024;

/** Writes files of a delta backup to where they belong. Content from the store must have the hash that it is named by. Can be repeated over its own remains. */
export const placeDeltaFiles = defineJob(import.meta.url, 'placeDeltaFiles', async (input: PlaceInput, context): Promise<UnpackOutput> => {
  using unpacker = new Unpacker(input.layout, input);
  const { mode = fileMode, uid = 0, gid = 0 } = input.attributes ?? {};
  let plainBytes = 0;
  for (const file of input.files) {
    const { path, size, mtime } = file;
    plainBytes += size;
    const member: TarMember = { path: `pgdata/${path}`, type: 'file', size, mode, uid, gid, mtime };
    if (input.object && input.mayBeThere && unpacker.keep(member, (there) => hashOf(there) === file.hexdigest)) continue;
    unpacker.member(member);
    if (input.object) await writeFromStore(unpacker, file, input.object, context);
    else writeEmbedded(unpacker, file);
    unpacker.end();
  }
  return { files: unpacker.files, plainBytes, links: unpacker.links };
});

async function writeFromStore(unpacker: Unpacker, file: DeltaFile, object: StoredObject, { signal, report }: JobContext): Promise<void> {
  const hash = createHash(contentHash);
  await readStoredObject(
    { ...object, plainBytes: file.size },
    (bytes) => {
      hash.update(bytes);
      unpacker.data(bytes);
    },
    { signal, onStoredBytes: (storedBytes) => report({ storedBytes } satisfies UnpackReport) },
  );
  if (hash.digest('hex') !== file.hexdigest) throw contentWrong(`the content of ${file.path} does not have the hash that it is named by`);
}

function hashOf(path: string): string {
  const hash = createHash(contentHash);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const buffer = Buffer.allocUnsafe(readBytes);
    for (let length = readSync(fd, buffer); length > 0; length = readSync(fd, buffer)) hash.update(buffer.subarray(0, length));
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}

function writeEmbedded(unpacker: Unpacker, { path, size, base64 = '' }: DeltaFile): void {
  const content = Buffer.from(base64, 'base64');
  if (content.length !== size) throw contentWrong(`${path} has ${content.length} bytes where the manifest says ${size}`);
  unpacker.data(content);
}

function contentWrong(why: string): OperatorError {
  return new OperatorError('object-corrupt', `the base backup is damaged: ${why}`, {
    hint: 'Restore another base backup, and check the storage that holds this one.',
  });
}
