import type { TimelineSwitch } from '../postgres/timeline-history.ts';
import type { StoredHistory } from './wal-archive-view.ts';

/** Undefined where it cannot be read here and now. */
export type HistoryReader = (timeline: number) => Promise<readonly TimelineSwitch[] | undefined>;

/** Fills in what is not known of histories, reading as few as possible: that of a timeline begins with those of its ancestors. Resolves to whether anything is known now that was not. */
export async function readHistories(histories: Map<number, StoredHistory>, read: HistoryReader): Promise<boolean> {
  let hasLearnt = false;
  for (const timeline of [...histories.keys()].toSorted((a, b) => b - a)) {
    const stored = histories.get(timeline);
    if (stored === undefined || stored.switches !== undefined) continue;
    const switches = fromDescendant(timeline, histories) ?? (await read(timeline));
    if (switches === undefined) continue;
    histories.set(timeline, { ...stored, switches });
    hasLearnt = true;
  }
  return hasLearnt;
}

function fromDescendant(timeline: number, histories: ReadonlyMap<number, StoredHistory>): readonly TimelineSwitch[] | undefined {
  for (const { switches } of histories.values()) {
    const at = switches?.findIndex((ancestor) => ancestor.timeline === timeline) ?? -1;
    if (at > 0) return switches?.slice(0, at);
  }
  return undefined;
}
