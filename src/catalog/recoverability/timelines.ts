import type { Lsn } from '../../postgres/lsn.ts';
import type { TimelineSwitch } from '../../postgres/timeline-history.ts';
import type { NeedyBackup } from '../needy-backups.ts';
import type { WalArchiveView } from '../wal-archive-view.ts';

/** `missing` and `unreadable` ones tell no ancestors; with a `corrupt` one recovery cannot follow the timeline at all. */
export type HistoryState = 'sound' | 'missing' | 'unreadable' | 'corrupt';

export interface KnownTimeline {
  readonly timeline: number;
  readonly history: HistoryState;
  /** Its ancestors as recovery finds them, oldest first: none where the history does not tell. */
  readonly switches: readonly TimelineSwitch[];
  /** Where it left its parent, be it by the history of a descendant. */
  readonly parent: { readonly timeline: number; readonly switchLsn: Lsn } | undefined;
}

/** A damaged archive may name very many. */
const timelinesMax = 1000;

/** All timelines of which anything is known, ascending. `corrupt`: those whose histories are damaged. */
export function knownTimelines(
  archive: WalArchiveView,
  backups: readonly NeedyBackup[],
  corrupt: ReadonlySet<number>,
): readonly KnownTimeline[] {
  const { ranges, histories, reached } = archive;
  const stored = [...histories].filter(([timeline]) => !corrupt.has(timeline));
  const named = backups.flatMap(({ start, end }) => [start.timeline, end?.timeline ?? start.timeline]);
  const ancestors = stored.flatMap(([, { switches = [] }]) => switches.map(({ timeline }) => timeline));
  const all = new Set([...ranges.timelines, ...histories.keys(), ...reached.keys(), ...named, ...ancestors]);
  const parents = parentsOf(stored.map(([timeline, { switches = [] }]) => ({ timeline, switches })));
  return [...all]
    .toSorted((a, b) => a - b)
    .slice(-timelinesMax)
    .map((timeline) => {
      const history = corrupt.has(timeline) ? 'corrupt' : stateOf(timeline, archive);
      const switches = history === 'sound' ? (histories.get(timeline)?.switches ?? []) : [];
      return { timeline, history, switches, parent: parents.get(timeline) };
    });
}

function stateOf(timeline: number, { histories }: WalArchiveView): HistoryState {
  if (timeline === 1) return 'sound';
  const stored = histories.get(timeline);
  if (stored === undefined) return 'missing';
  return stored.switches === undefined ? 'unreadable' : 'sound';
}

function parentsOf(lines: readonly { readonly timeline: number; readonly switches: readonly TimelineSwitch[] }[]) {
  const parents = new Map<number, { readonly timeline: number; readonly switchLsn: Lsn }>();
  for (const { timeline, switches } of lines) {
    for (const [index, { timeline: parent, switchLsn }] of switches.entries()) {
      parents.set(switches[index + 1]?.timeline ?? timeline, { timeline: parent, switchLsn });
    }
  }
  return parents;
}
