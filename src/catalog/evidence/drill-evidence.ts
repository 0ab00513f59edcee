import { z } from 'zod';

const moment = z.iso.datetime();
const lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);

/** What a restore drill has shown, as it lies in the store: plain JSON, an object for each drill. Keys are only ever added. */
export const drillEvidence = z.object({
  format: z.literal(1),
  basebackup: z.string(),
  /** The timeline that recovery was told to follow. */
  timeline: z.int().min(1),
  /** Where recovery was told to stop. */
  target: z.object({ kind: z.enum(['latest', 'immediate', 'time', 'lsn', 'xid', 'name']), value: z.string().nullable() }),
  /** Up to where it has replayed WAL; null where it came to none. `time`: of the last transaction, by the clock of the server that had written it. */
  replayed_to: z.object({ timeline: z.int().min(1), lsn, time: moment.nullable() }).nullable(),
  begun_at: moment,
  duration_seconds: z.number().nonnegative(),
  /** `impossible`: it could not run, which proves nothing either way. */
  result: z.enum(['passed', 'failed', 'impossible']),
  because: z.string().nullable(),
  checks: z.array(
    z.object({
      name: z.string(),
      result: z.enum(['passed', 'failed', 'skipped']),
      because: z.string().nullable(),
      seconds: z.number().nullable(),
    }),
  ),
  restored_bytes: z.number().nonnegative().nullable(),
  replayed_segments: z.number().nonnegative().nullable(),
});
export type DrillEvidence = z.output<typeof drillEvidence>;
