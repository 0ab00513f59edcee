import { z } from 'zod';
import type { Attributes } from '../catalog/manifest.ts';
import { ManifestLists } from '../catalog/manifest-lists.ts';
import { manifestInvalid, streamManifest } from '../catalog/manifest-stream.ts';
import type { StoredObject } from '../catalog/stored-object.ts';
import { defineJob } from '../codec/job.ts';
import type { DeltaFile } from './delta-file.ts';
import { FileWriter } from './file-writer.ts';
import type { Layout } from './layout.ts';
import { Unpacker } from './unpacker.ts';
import { writing } from './write-error.ts';

export interface ListInput {
  readonly main: StoredObject;
  readonly layout: Layout;
  readonly keepOwners: boolean;
  /** For the directories; undefined: 0700, and the owner is that of this process. */
  readonly attributes: Attributes | undefined;
  /** The file that takes the list, a line of JSON for each {@link DeltaFile}. */
  readonly list: string;
}

/** A file in the manifest of a delta backup. `pghoard-delta-v1` knows no bundles. */
const fileSchema = z.object({
  relative_path: z.string().min(1),
  file_size: z.int().nonnegative(),
  mtime_ns: z.number(),
  hexdigest: z
    .string()
    .regex(/^([0-9a-f]{64})?$/)
    .default(''),
  content_b64: z.string().nullable().default(null),
  should_be_bundled: z.boolean().default(false),
});

const directoryMode = 0o700;

/** Makes the directories that a delta backup lists, and writes out which files are to be put into them that no bundle holds. */
export const listDeltaFiles = defineJob(import.meta.url, 'listDeltaFiles', async (input: ListInput, { signal }): Promise<void> => {
  using unpacker = new Unpacker(input.layout, { keepOwners: input.keepOwners, reuse: false });
  using writer = new FileWriter();
  writing(input.list, () => writer.open(input.list));
  const state = 'manifest.snapshot_result.state';
  const lists = new ManifestLists({
    [`${state}.files`]: (item) => {
      const file = deltaFileOf(item);
      if (file) writing(input.list, () => writer.write(Buffer.from(`${oneLine(file)}\n`)));
    },
    [`${state}.empty_dirs`]: (item) => makeDirectory(unpacker, item, input.attributes),
  });
  await streamManifest(input.main, (bytes) => lists.update(bytes), { signal });
  lists.finish();
  writing(input.list, () => writer.close({ mode: 0o600, mtime: 0, owner: undefined }));
});

/** `undefined` for one that a bundle holds. */
function deltaFileOf(item: unknown): DeltaFile | undefined {
  const parsed = fileSchema.safeParse(item);
  if (!parsed.success) throw manifestInvalid(`an entry of its list of files is wrong: ${z.prettifyError(parsed.error)}`);
  const { relative_path: path, file_size: size, mtime_ns, hexdigest, content_b64, should_be_bundled } = parsed.data;
  if (should_be_bundled) return undefined;
  const mtime = mtime_ns / 1e9;
  if (hexdigest !== '') return { path, size, mtime, hexdigest };
  if (content_b64 !== null || size === 0) return { path, size, mtime, base64: content_b64 ?? '' };
  throw manifestInvalid(`it does not say where the content of ${path} is`);
}

/** Line readers end lines at these two as well, which JSON lets stand in texts. */
function oneLine(file: DeltaFile): string {
  return JSON.stringify(file).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

function makeDirectory(unpacker: Unpacker, path: unknown, attributes: Attributes | undefined): void {
  if (typeof path !== 'string') throw manifestInvalid('an entry of its list of directories is no name');
  const { mode = directoryMode, uid = 0, gid = 0 } = attributes ?? {};
  unpacker.member({ path: `pgdata/${path}`, type: 'directory', size: 0, mode, uid, gid, mtime: 0 });
}
