import { readStoredObject, type StoredObject } from '../catalog/stored-object.ts';
import { defineJob } from '../codec/job.ts';
import { TarReader } from '../tar/reader.ts';
import type { Layout } from './layout.ts';
import { type PendingLink, Unpacker, type UnpackerOptions } from './unpacker.ts';

export interface UnpackInput extends UnpackerOptions {
  readonly object: StoredObject;
  readonly layout: Layout;
}

export interface UnpackOutput {
  readonly files: number;
  readonly plainBytes: number;
  /** Symlinks are made when all objects have been unpacked. */
  readonly links: readonly PendingLink[];
}

/** Progress of a running {@link unpackObject}. */
export interface UnpackReport {
  readonly storedBytes: number;
}

/** Gets one object of a base backup from the store and writes the files in it to where they belong. Can be repeated over its own remains. */
export const unpackObject = defineJob(
  import.meta.url,
  'unpackObject',
  async ({ object, layout, ...options }: UnpackInput, context): Promise<UnpackOutput> => {
    using unpacker = new Unpacker(layout, options);
    const reader = new TarReader(unpacker);
    const { plainBytes } = await readStoredObject(object, (bytes) => reader.update(bytes), {
      signal: context.signal,
      onStoredBytes: (storedBytes) => context.report({ storedBytes } satisfies UnpackReport),
    });
    reader.finish();
    return { files: unpacker.files, plainBytes, links: unpacker.links };
  },
);
