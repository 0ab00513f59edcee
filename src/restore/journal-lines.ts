import { z } from 'zod';
import { confined } from '../catalog/member-place.ts';
import { isOperatorError, OperatorError } from '../lib/errors.ts';

const count = z.int().nonnegative();
const headSchema = z.strictObject({
  format: z.literal(1),
  backup: z.string().min(1),
  /** Digest of what is restored to where. */
  plan: z.string().regex(/^[0-9a-f]{64}$/),
  reuse: z.boolean(),
});
const lineSchema = z.union([
  /** Of the machine, at whose every start unwritten data may have been lost. */
  z.strictObject({ boot: z.string() }),
  z.strictObject({ setAside: z.literal(true) }),
  z.strictObject({ autoConf: z.string() }),
  /** So many parts, in the order of their lines, were durable by then. */
  z.strictObject({ durable: count }),
  z.strictObject({ part: z.string(), files: count, plainBytes: count, links: z.array(z.tuple([count, z.string(), z.string()])) }),
]);

export type JournalHead = z.output<typeof headSchema>;
export type JournalLine = z.output<typeof lineSchema>;

export interface ParsedJournal {
  readonly head: JournalHead;
  readonly lines: readonly JournalLine[];
  /** Of whole lines: what follows them was being written when it was killed. */
  readonly bytes: number;
}

/** Reads a journal of a restore into `roots` directories. Throws `restore-journal-invalid` for whatever is not as it was written. */
export function parseJournal(text: string, roots: number): ParsedJournal {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const [first, ...rest] = whole.split('\n').slice(0, -1);
  if (first === undefined) throw damaged('it has no first line');
  const head = checked(headSchema, first, 1);
  const lines = rest.map((line, index) => checked(lineSchema, line, index + 2));
  lines.forEach((line, index) => {
    if ('part' in line) for (const [root, relative, target] of line.links) checkLink(root, relative, target, { roots, number: index + 2 });
  });
  return { head, lines, bytes: Buffer.byteLength(whole) };
}

function checked<T>(schema: z.ZodType<T>, line: string, number: number): T {
  const parsed = schema.safeParse(jsonOf(line));
  if (parsed.success) return parsed.data;
  throw damaged(`its line ${number} is not one that a restore writes`);
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** It would be made as it stands here. */
function checkLink(root: number, relative: string, target: string, { roots, number }: { roots: number; number: number }): void {
  if (root < roots && target !== '' && !target.includes('\0') && isConfined(relative)) return;
  throw damaged(`its line ${number} has a link that no base backup holds`);
}

function isConfined(relative: string): boolean {
  try {
    return relative !== '' && !relative.includes('\0') && confined(relative, relative) === relative;
  } catch (error) {
    if (isOperatorError(error, 'tar-unsafe')) return false;
    throw error;
  }
}

function damaged(why: string): OperatorError {
  return new OperatorError('restore-journal-invalid', `the restore that was stopped cannot go on: its journal is of no use, ${why}`, {
    hint: 'Begin anew with --overwrite, which empties the directory first.',
  });
}
