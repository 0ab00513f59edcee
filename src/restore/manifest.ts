import { z } from 'zod';
import { OperatorError } from '../lib/errors.ts';

/** What a restore needs of a base backup's manifest, whose long lists are condensed to their lengths before. Unknown keys are ignored. */
const manifestSchema = z.object({
  tablespaces: z.record(z.string(), z.object({ oid: z.int().positive(), path: z.string() })).default({}),
  chunks: z
    .array(
      z.object({
        chunk_filename: z.string().regex(/^[^/\0]+\/[^/\0]+$/, 'must be FOLDER/FILE'),
        /** Bytes of the tar. */
        input_size: z.int().nonnegative().optional(),
        /** Stored bytes. */
        result_size: z.int().nonnegative(),
        /** How many. */
        files: z.int().default(0),
      }),
    )
    .default([]),
});

export type Manifest = z.output<typeof manifestSchema>;

/** Reads a condensed manifest. Throws `manifest-invalid`. */
export function parseManifest(text: string): Manifest {
  const manifest = manifestSchema.safeParse(parseJson(text));
  if (manifest.success) return manifest.data;
  const [issue] = manifest.error.issues;
  throw manifestInvalid(`${issue?.path.join('.')}: ${issue?.message}`);
}

export function manifestInvalid(why: string, cause?: unknown): OperatorError {
  return new OperatorError('manifest-invalid', `the manifest of the base backup cannot be used: ${why}`, {
    cause,
    hint: 'Restore another base backup, and check the storage that holds this one.',
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw manifestInvalid('it is not JSON', error);
  }
}
