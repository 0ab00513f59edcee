import { type Manifest, parseManifest } from '../catalog/manifest.ts';
import { ManifestCondenser } from '../catalog/manifest-condenser.ts';
import { streamManifest } from '../catalog/manifest-stream.ts';
import type { StoredObject } from '../catalog/stored-object.ts';
import { defineJob } from '../codec/job.ts';

/** Reads the manifest out of the main object of a base backup in several objects. */
export const readManifest = defineJob(import.meta.url, 'readManifest', async (object: StoredObject, { signal }): Promise<Manifest> => {
  const condenser = new ManifestCondenser();
  await streamManifest(object, (bytes) => condenser.update(bytes), { signal });
  return parseManifest(condenser.finish());
});
