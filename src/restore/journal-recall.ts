import type { JournalLine } from './journal-lines.ts';
import type { UnpackOutput } from './unpack-object.job.ts';

/** What a journal proves to have been done. */
export interface RecalledRestore {
  readonly isSetAside: boolean;
  /** `postgresql.auto.conf` as it is in the backup, once it may have been written to. */
  readonly autoConf: string | undefined;
  /** What came of parts, by key. */
  readonly parts: Map<string, UnpackOutput>;
  /** The machine was started anew since the last line, or does not tell. */
  readonly isNewBoot: boolean;
}

/** `roots`: the directories that links are in, by their number in the journal. `boot`: of the machine as it runs now; empty where it does not tell. */
export function recall(lines: readonly JournalLine[], roots: readonly string[], boot: string): RecalledRestore {
  const parts = new Map<string, UnpackOutput>();
  let isSetAside = false;
  let autoConf: string | undefined;
  for (const [at, line] of lines.entries()) {
    if ('setAside' in line) isSetAside = true;
    else if ('autoConf' in line) autoConf = line.autoConf;
    else if ('part' in line) parts.set(line.part, outputOf(line, roots));
    else if ('boot' in line) forgetUnsure(parts, lines.slice(0, at));
  }
  const last = lines.findLast((line) => 'boot' in line)?.boot;
  const isNewBoot = last !== boot || boot === '';
  if (isNewBoot) forgetUnsure(parts, lines);
  return { isSetAside, autoConf, parts, isNewBoot };
}

function outputOf({ files, plainBytes, links }: Extract<JournalLine, { part: string }>, roots: readonly string[]): UnpackOutput {
  return { files, plainBytes, links: links.map(([root, relative, target]) => ({ root: roots[root] ?? '', relative, target })) };
}

/** The machine was started anew after these lines: of the parts in them only those that had been made durable are there for certain. */
function forgetUnsure(parts: Map<string, UnpackOutput>, before: readonly JournalLine[]): void {
  const durable = before.reduce((count, line) => ('durable' in line ? line.durable : count), 0);
  for (const key of [...parts.keys()].slice(durable)) parts.delete(key);
}
