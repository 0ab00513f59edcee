import { OperatorError } from '../lib/errors.ts';
import { TarReader } from '../tar/reader.ts';
import { type ReadingOptions, readStoredObject, type StoredObject } from './stored-object.ts';

/** The first member of the main object of every base backup that has a format. */
export const manifestMember = '.pghoard_tar_metadata.json';

/**
 * Passes the bytes of the manifest in a main object to `sink`, and reads the object to its authenticated end: only once this has resolved can
 * they be trusted. Rejects with `manifest-invalid` where there is none.
 */
export async function streamManifest(object: StoredObject, sink: (bytes: Uint8Array) => void, options: ReadingOptions): Promise<void> {
  let inManifest = false;
  let found = false;
  const reader = new TarReader({
    member: ({ path }) => {
      inManifest = path === manifestMember && !found;
      found ||= inManifest;
    },
    data: (bytes) => {
      if (inManifest) sink(bytes);
    },
    end: () => {
      inManifest = false;
    },
  });
  await readStoredObject(object, (bytes) => reader.update(bytes), options);
  reader.finish();
  if (!found) throw manifestInvalid(`there is no ${manifestMember} in it`);
}

export function manifestInvalid(why: string, cause?: unknown): OperatorError {
  return new OperatorError('manifest-invalid', `the manifest of the base backup cannot be used: ${why}`, {
    cause,
    hint: 'Restore another base backup, and check the storage that holds this one.',
  });
}
