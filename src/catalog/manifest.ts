import { z } from 'zod';
import { manifestInvalid } from './manifest-stream.ts';

const attributesSchema = z.object({
  mode: z.int().min(0).max(0o7777),
  uid: z.int().nonnegative(),
  gid: z.int().nonnegative(),
});

/** Of files and directories that are in no archive. */
export type Attributes = z.output<typeof attributesSchema>;

/** What a restore needs of a base backup's manifest, whose long lists are condensed to their lengths before. Unknown keys are ignored. */
const manifestSchema = z.object({
  tablespaces: z.record(z.string(), z.object({ oid: z.int().positive(), path: z.string() })).default({}),
  chunks: z
    .array(
      z.object({
        chunk_filename: z.string().regex(/^[^./\0][^/\0]*\/[^./\0][^/\0]*$/, 'must be FOLDER/FILE, neither beginning with a dot'),
        /** Bytes of the tar. */
        input_size: z.int().nonnegative().optional(),
        /** Stored bytes. */
        result_size: z.int().nonnegative(),
        /** Of the stored bytes. The original has none. */
        result_sha256: z.string().optional(),
        /** How many; or which, in brief. */
        files: z.union([z.int(), z.object({ count: z.int(), sum: z.string() })]).default(0),
      }),
    )
    .default([]),
  /** Ours, in delta backups. */
  attributes: z.object({ file: attributesSchema, directory: attributesSchema }).optional(),
  /** In delta backups. */
  manifest: z
    .object({
      snapshot_result: z.object({ files: z.int().nonnegative() }),
      upload_result: z.object({ total_stored_size: z.int().nonnegative() }),
    })
    .optional(),
});

export type Manifest = z.output<typeof manifestSchema>;

/** Of a chunk. */
export function fileCount({ files }: Pick<Manifest['chunks'][number], 'files'>): number {
  return typeof files === 'number' ? files : files.count;
}

/** Reads a condensed manifest. Throws `manifest-invalid`. */
export function parseManifest(text: string): Manifest {
  const manifest = manifestSchema.safeParse(parseJson(text));
  if (manifest.success) return manifest.data;
  const [issue] = manifest.error.issues;
  throw manifestInvalid(`${issue?.path.join('.')}: ${issue?.message}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw manifestInvalid('it is not JSON', error);
  }
}
