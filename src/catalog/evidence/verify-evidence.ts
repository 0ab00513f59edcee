import { z } from 'zod';

/**
 * What `verify` has found out, as it lies in the store: small documents of plain JSON, one for each base backup and one for each timeline. Keys are only ever added; what
 * a version does not understand counts as not verified.
 */

const moment = z.iso.datetime();
const format = z.literal(1);
/** See `fingerprintOf`. Where the store has another object now, nothing is proven of it. */
const fingerprint = z.string();
/** `code`: of an error, see docs/errors.md. */
const finding = z.object({ code: z.string(), because: z.string(), object: z.string().nullable() });

/** All parts of a base backup have been read, or the first that is damaged. */
export const basebackupEvidence = z.object({
  format,
  kind: z.literal('basebackup'),
  name: z.string(),
  /** Of its main object. */
  fingerprint,
  /** Of all its objects, as `ObjectSum`: with another one it is to be read anew. */
  sum: z.string().optional(),
  verified_at: moment,
  /** Stored bytes that were read. */
  bytes: z.number().nonnegative(),
  result: z.enum(['sound', 'corrupt']),
  findings: z.array(finding).readonly(),
});
export type BasebackupEvidence = z.output<typeof basebackupEvidence>;

const segmentName = z.string().regex(/^[0-9A-F]{24}$/);

/** Consecutive segments of a timeline, all of them sound; or a single one that is not. `from` and `to` are both included. */
const run = z.object({
  from: segmentName,
  to: segmentName,
  /** Of the one that was read longest ago. */
  verified_at: moment,
  bytes: z.number().nonnegative(),
  /** Of a single segment: its own. Of several: as `ObjectSum`, of all of them. */
  fingerprint,
  /** When the newest of them was stored, by the clock of the store: what is younger came, or was replaced, later. */
  modified: moment.optional(),
  result: z.enum(['sound', 'corrupt']),
  findings: z.array(finding).readonly(),
});
export type WalRunEvidence = z.output<typeof run>;

/** WAL of a timeline that has been read, as runs that do not overlap, in their order; and its history. Runs that are alike and touch are joined, so that there are few. */
export const walEvidence = z.object({
  format,
  kind: z.literal('wal'),
  timeline: z.int().min(1),
  segment_bytes: z.int().min(1),
  history: z
    .object({ fingerprint, verified_at: moment, result: z.enum(['sound', 'corrupt']), findings: z.array(finding).readonly() })
    .nullable(),
  runs: z.array(run).readonly(),
});
export type WalEvidence = z.output<typeof walEvidence>;

export const verifyEvidence = z.discriminatedUnion('kind', [basebackupEvidence, walEvidence]);
export type VerifyEvidence = z.output<typeof verifyEvidence>;
