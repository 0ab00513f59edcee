import { defineJob } from '../codec/job.ts';
import { TarReader } from '../tar/reader.ts';
import { type Manifest, manifestInvalid, parseManifest } from './manifest.ts';
import { ManifestCondenser } from './manifest-condenser.ts';
import { readStoredObject, type StoredObject } from './stored-object.ts';

const manifestName = '.pghoard_tar_metadata.json';

/** Reads the manifest out of the control object of a chunked base backup, to its authenticated end. */
export const readManifest = defineJob(import.meta.url, 'readManifest', async (object: StoredObject, { signal }): Promise<Manifest> => {
  const condenser = new ManifestCondenser();
  let inManifest = false;
  let found = false;
  const reader = new TarReader({
    member: ({ path }) => {
      inManifest = path === manifestName && !found;
      found ||= inManifest;
    },
    data: (bytes) => {
      if (inManifest) condenser.update(bytes);
    },
    end: () => {
      inManifest = false;
    },
  });
  await readStoredObject(object, (bytes) => reader.update(bytes), { signal });
  reader.finish();
  if (!found) throw manifestInvalid(`there is no ${manifestName} in it`);
  return parseManifest(condenser.finish());
});
