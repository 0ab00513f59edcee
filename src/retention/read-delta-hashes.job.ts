import { z } from 'zod';
import { ManifestLists } from '../catalog/manifest-lists.ts';
import { manifestInvalid, streamManifest } from '../catalog/manifest-stream.ts';
import type { StoredObject } from '../catalog/stored-object.ts';
import { defineJob } from '../codec/job.ts';
import { DigestSet } from '../lib/digest-set.ts';

const digestBytes = 32;
const fileSchema = z.object({
  hexdigest: z
    .string()
    .regex(/^([0-9a-f]{64})?$/)
    .default(''),
});

/** The hashes that a delta backup needs, from the list of files in its manifest, 32 bytes each. */
export const readDeltaHashes = defineJob(
  import.meta.url,
  'readDeltaHashes',
  async (main: StoredObject, { signal }): Promise<Uint8Array> => {
    const digests = new DigestSet();
    const lists = new ManifestLists({
      'manifest.snapshot_result.state.files': (item) => {
        const file = fileSchema.safeParse(item);
        if (!file.success) throw manifestInvalid('an entry of its list of files is wrong');
        if (file.data.hexdigest !== '') digests.add(file.data.hexdigest);
      },
    });
    await streamManifest(main, (bytes) => lists.update(bytes), { signal });
    lists.finish();
    const bytes = Buffer.alloc(digests.size * digestBytes);
    let at = 0;
    for (const digest of digests) at += bytes.write(digest, at, 'hex');
    return bytes;
  },
);

/** What {@link readDeltaHashes} returned, as hex. */
export function* digestsIn(bytes: Uint8Array): Generator<string> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < buffer.length; at += digestBytes) yield buffer.toString('hex', at, at + digestBytes);
}
