import { historyNameOf } from '../../postgres/wal-name.ts';
import type { Gaps, Hole, StrandedTimeline } from './gaps.ts';

/** One thing that is missing. */
export interface Trouble {
  /** Stays the same while the thing does, also when a part of it is mended. */
  readonly key: string;
  readonly kind: Hole['kind'] | 'history' | 'stranded';
  /** Where files can be looked for: a hole, or the timeline of a history. */
  readonly missing: Hole | number | undefined;
  readonly isOpen: boolean;
  readonly since: Date;
  readonly words: string;
  /** For the state file. */
  readonly details: Readonly<Record<string, string | number>>;
}

/** Everything that is missing, the worst last: what is open after what is past, newer after older. */
export function troublesOf({ holes, missingHistories, stranded }: Gaps): readonly Trouble[] {
  const troubles = [...missingHistories.map(ofHistory), ...holes.map(ofHole), ...(stranded === undefined ? [] : [ofStranded(stranded)])];
  return troubles.toSorted((a, b) => Number(a.isOpen) - Number(b.isOpen));
}

function ofHole(hole: Hole): Trouble {
  const { line, first, last, kind, isOpen, since } = hole;
  const [from = '', to = ''] = [line.nameAt(first), line.nameAt(last)];
  const segments = Number(last - first + 1n);
  const what = segments === 1 ? `WAL segment ${from}` : `WAL from ${from} to ${to} (${segments} segments)`;
  const words = kind === 'end' ? `${what}, which a base backup needs, is not stored (yet)` : `${what} is missing`;
  const details = { timeline: Number.parseInt(from.slice(0, 8), 16), from, to, segments };
  return { key: `${kind} ${to}`, kind, missing: hole, isOpen, since, words, details };
}

function ofHistory({ timeline, isOpen, since }: Gaps['missingHistories'][number]): Trouble {
  const name = historyNameOf(timeline);
  const words = `${name} is missing: recovery ends on a timeline before it`;
  return { key: name, kind: 'history', missing: timeline, isOpen, since, words, details: { timeline, from: name, to: name } };
}

function ofStranded({ timeline, since }: StrandedTimeline): Trouble {
  const words = `no base backup leads to timeline ${timeline}, of which WAL is archived`;
  return { key: `stranded ${timeline}`, kind: 'stranded', missing: undefined, isOpen: true, since, words, details: { timeline } };
}
