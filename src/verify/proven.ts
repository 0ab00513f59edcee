import { z } from 'zod';

const timestamp = z.iso.datetime().transform((text) => new Date(text));
const count = z.int().nonnegative();

const damagedSchema = z.object({
  /** In its folder. */
  name: z.string(),
  size: count,
  modified: timestamp,
  when: timestamp,
  code: z.string(),
  cause: z.string(),
});

const runSchema = z.object({
  first: z.string(),
  last: z.string(),
  objects: z.int().positive(),
  bytes: count,
  /** The newest of them, by the clock of the store. What is younger has come, or was replaced, later. */
  modified: timestamp,
  /** As `ObjectSum`. */
  sum: z.string().regex(/^[0-9a-f]{16}$/),
  /** When the first of them was read. */
  when: timestamp,
});

/** What is known of a folder. As it lies in the store it is plain JSON. */
export const folderSchema = z.object({ runs: z.array(runSchema), damaged: z.array(damagedSchema) });

/** Objects that follow each other in the listing of a folder, and are sound. */
export type ProvenRun = z.output<typeof runSchema>;
/** An object that is not as it must be. */
export type DamagedObject = z.output<typeof damagedSchema>;
export type FolderEvidence = { readonly runs: readonly ProvenRun[]; readonly damaged: readonly DamagedObject[] };

export const nothingProven: FolderEvidence = { runs: [], damaged: [] };
