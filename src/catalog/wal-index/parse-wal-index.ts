import { z } from 'zod';
import { OperatorError } from '../../lib/errors.ts';
import { parseLsn } from '../../postgres/lsn.ts';
import type { TransactionOutcome } from '../../postgres/wal-records/wal-record-sink.ts';
import type { IndexedPiece, WalIndex } from './wal-index.ts';
import { formatVersion, outcomeLetters, type PieceDocument, type WalIndexDocument } from './wal-index-document.ts';

const count = z.int().min(0);
const lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);
const time = z.number();
const piece = z.object({ total_bytes: count, bytes: count, begins: z.base64() });

const document = z.object({
  format: z.literal(formatVersion),
  segment: z.string(),
  segment_bytes: count,
  start_lsn: lsn,
  major: z.string(),
  commits: count,
  aborts: count,
  prepared: count,
  times: z.tuple([time, time, time, time]).optional(),
  transactions: z
    .object({
      every: z.int().min(1),
      outcomes: z.string().regex(/^[caCA]*$/),
      offsets: z.array(z.number()),
      times: z.array(z.number()),
      xids: z.array(z.number()),
    })
    .refine(({ outcomes, offsets, times, xids }) => new Set([outcomes.length, offsets.length, times.length, xids.length]).size === 1)
    .optional(),
  drops: z.array(z.object({ offset: count, time, xid: count, files: count })).optional(),
  restore_points: z.array(z.object({ offset: count, time, name: z.string() })).optional(),
  checkpoints: z.array(z.object({ offset: count, time, redo: lsn, timeline: count, kind: z.enum(['online', 'shutdown']) })).optional(),
  timeline_switches: z.array(z.object({ offset: count, time, timeline: count, previous_timeline: count })).optional(),
  databases: z.record(z.string().regex(/^\d+$/), z.tuple([count, count, count, count])).optional(),
  continued: piece.optional(),
  unfinished: piece.extend({ offset: count }).optional(),
  end: z.object({ offset: count, because: z.enum(['switch', 'unwritten', 'unreadable', 'version']) }).optional(),
}) satisfies z.ZodType<WalIndexDocument>;

const outcomesByLetter = new Map(Object.entries(outcomeLetters).map(([outcome, letter]) => [letter, outcome as TransactionOutcome]));

/** `where`: for the message. Throws `object-unreadable`. */
export function parseWalIndex(text: string, where: string): WalIndex {
  const fields = read(text, where);
  const { times, transactions, databases = {}, continued, unfinished, end } = fields;
  return {
    name: fields.segment,
    segmentBytes: fields.segment_bytes,
    startLsn: parseLsn(fields.start_lsn),
    major: fields.major,
    commits: fields.commits,
    aborts: fields.aborts,
    prepared: fields.prepared,
    times: times && { first: times[0], last: times[1], earliest: times[2], latest: times[3] },
    every: transactions?.every ?? 1,
    transactions: {
      offsets: sums(transactions?.offsets ?? []),
      times: sums(transactions?.times ?? []),
      xids: sums(transactions?.xids ?? []),
      outcomes: Array.from(transactions?.outcomes ?? '', (letter) => outcomesByLetter.get(letter) as TransactionOutcome),
    },
    drops: fields.drops ?? [],
    restorePoints: fields.restore_points ?? [],
    checkpoints: (fields.checkpoints ?? []).map(({ redo, kind, ...rest }) => ({
      ...rest,
      redo: parseLsn(redo),
      isShutdown: kind === 'shutdown',
    })),
    timelineSwitches: (fields.timeline_switches ?? []).map(({ previous_timeline: previousTimeline, ...rest }) => ({
      ...rest,
      previousTimeline,
    })),
    databases: new Map(
      Object.entries(databases).map(([oid, [pagesMade, filesCreated, filesTruncated, filesDropped]]) => {
        return [Number(oid), { pagesMade, filesCreated, filesTruncated, filesDropped }];
      }),
    ),
    continued: continued && parsePiece(continued),
    unfinished: unfinished && { ...parsePiece(unfinished), offset: unfinished.offset },
    end,
  };
}

function read(text: string, where: string): z.output<typeof document> {
  try {
    return document.parse(JSON.parse(text));
  } catch (cause) {
    throw new OperatorError('object-unreadable', `${where} is no index of WAL that this version can read`, {
      cause,
      hint: 'It may have been written by a newer version, or be damaged. Remove it: it is made anew from the segment.',
    });
  }
}

function sums(differences: readonly number[]): number[] {
  let sum = 0;
  return differences.map((difference) => (sum += difference));
}

function parsePiece({ total_bytes: totalBytes, bytes, begins }: PieceDocument): IndexedPiece {
  return { totalBytes, bytes, begins: Buffer.from(begins, 'base64') };
}
