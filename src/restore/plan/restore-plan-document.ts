import { z } from 'zod';

const moment = z.iso.datetime();
const lsn = z.string();
const count = z.number().nonnegative();
const timeline = z.number();

/** A commit as the WAL has it. `time` is in microseconds, in UTC, by the clock of the server that wrote it. */
const commit = z.object({ time: z.string(), lsn, timeline, xid: z.string().nullable() });

/** `from` is what it is at best, `to` at worst. */
const secondsRange = z.object({ from: count, to: count });

const missing = z.object({
  kind: z.enum(['basebackup', 'wal', 'history']),
  /** First and last of objects that follow each other; of WAL the names of segments, else keys. */
  first: z.string(),
  last: z.string(),
  objects: count,
});

const directory = z.object({
  purpose: z.enum(['data', 'tablespace', 'wal']),
  /** Of a tablespace. */
  name: z.string().nullable(),
  /** Null where it is not known yet where it will lie. */
  path: z.string().nullable(),
  /** Bytes that will lie there at least and at most; null where the base backup does not tell. */
  needed_bytes_min: count.nullable(),
  needed_bytes_max: count.nullable(),
  /** In its file system, on the host where the plan was made to be carried out; null elsewhere. */
  free_bytes: count.nullable(),
});

/**
 * What a restore will do and come to, as JSON: `GET /SITE/plan` and `pghoard_restore plan --json`; docs/guide.md describes it. Keys are only ever added. What is not
 * known is null.
 */
export const restorePlanDocument = z.object({
  site: z.string(),
  /** When it was so. */
  at: moment,
  target: z.object({
    kind: z.enum(['latest', 'immediate', 'time', 'lsn', 'xid', 'name']),
    /** As it is understood: of a time in UTC. */
    value: z.string().nullable(),
    /** Recovery stops just before it. */
    is_exclusive: z.boolean(),
    /** A time once more, in each zone that matters, in words: UTC, that of the machine, that of the source. */
    in_zones: z.array(z.string()),
  }),
  basebackup: z.object({
    name: z.string(),
    key: z.string(),
    /** Why this one. */
    because: z.string(),
    start: moment,
    end: moment.nullable(),
    stored_bytes: count,
    plain_bytes: count.nullable(),
    files: count.nullable(),
    /** PostgreSQL's major version, such as `15`. */
    pg_major: z.string().nullable(),
  }),
  timeline: z.object({
    /** To which recovery leads. */
    target: timeline,
    /** What it replays of each, in order; `to_lsn` is where the next one begins, or null at the last one. */
    path: z.array(z.object({ timeline, from_lsn: lsn, to_lsn: lsn.nullable() })),
  }),
  wal: z.object({
    /** Null where none has to be fetched. */
    first_segment: z.string().nullable(),
    last_segment: z.string().nullable(),
    segments: count,
    stored_bytes: count,
    plain_bytes: count,
  }),
  commits: z.object({
    /** The last one that the restored server has. */
    before: commit.nullable(),
    /** The first one that it does not have. */
    after: commit.nullable(),
    /** False: there may be others between them. */
    is_exact: z.boolean(),
    /** Why not, or why one of them is not known. */
    because: z.string().nullable(),
  }),
  /** From the store. */
  fetch: z.object({ basebackup_bytes: count, wal_bytes: count, total_bytes: count }),
  /** To disk, by the restore itself. */
  write: z.object({ bytes: count.nullable(), files: count.nullable() }),
  directories: z.array(directory),
  duration: z.object({
    /** Until PostgreSQL can be started, and from then on until it has recovered. */
    restore_seconds: secondsRange.nullable(),
    recovery_seconds: secondsRange,
    total_seconds: secondsRange.nullable(),
    measured_by: z.enum(['drills', 'base-backups', 'nothing']),
    because: z.string(),
  }),
  /** Null where the version of PostgreSQL is not known. */
  settings: z.object({ file: z.string(), text: z.string(), signal_file: z.string().nullable() }).nullable(),
  objects: z.object({ is_complete: z.boolean(), checked: count, missing: z.array(missing), more_missing: count }),
  /** For a shell. `DIRECTORY` stands for what nobody has named yet. */
  command: z.string(),
  warnings: z.array(z.string()),
});
export type RestorePlanDocument = z.output<typeof restorePlanDocument>;

const reachable = z.object({ time: z.string().nullable(), lsn: lsn.nullable(), timeline, basebackup: z.string() });

/** Why there is no plan, with the nearest places that can be restored instead: what `GET /SITE/plan` answers with 400, 404 or 409, and `--json` prints. */
export const planRefusalDocument = z.object({
  code: z.string(),
  message: z.string(),
  /** What led to it, outermost first. */
  causes: z.array(z.string()),
  hint: z.string().nullable(),
  nearest: z.object({ before: reachable.nullable(), after: reachable.nullable() }).nullable(),
});
export type PlanRefusalDocument = z.output<typeof planRefusalDocument>;
