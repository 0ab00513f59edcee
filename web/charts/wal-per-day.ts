import type { RecoverabilityDocument } from '../../src/daemon/http/api.ts';
import { msOf } from '../format.ts';

interface Place {
  readonly ms: number;
  readonly lsn: number;
}

/**
 * WAL that the server has written, in bytes before compression, by midnight of the viewer's days: between moments of which both the time and the position are known
 * (base backups, and the newest that can be restored) it is spread evenly.
 */
export function walPerDay({ basebackups, newest }: Pick<RecoverabilityDocument, 'basebackups' | 'newest'>): ReadonlyMap<number, number> {
  const days = new Map<number, number>();
  const places = [...basebackups.map(({ from }) => from), newest].flatMap(placeOf).toSorted((a, b) => a.ms - b.ms);
  for (const [index, to] of places.entries()) {
    const from = places[index - 1];
    // A restore to an earlier moment goes back; what was written beyond it is not known.
    if (from !== undefined && to.lsn > from.lsn && to.ms > from.ms) spread(days, from, to);
  }
  return days;
}

function placeOf(point: RecoverabilityDocument['newest']): Place[] {
  const ms = msOf(point?.time);
  const [, high, low] = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/.exec(point?.lsn ?? '') ?? [];
  if (ms === undefined || high === undefined || low === undefined) return [];
  return [{ ms, lsn: Number.parseInt(high, 16) * 2 ** 32 + Number.parseInt(low, 16) }];
}

function spread(days: Map<number, number>, from: Place, to: Place): void {
  const perMs = (to.lsn - from.lsn) / (to.ms - from.ms);
  for (let at = from.ms; at < to.ms; ) {
    const date = new Date(at);
    const day = new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
    const end = Math.min(to.ms, new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime());
    days.set(day, (days.get(day) ?? 0) + (end - at) * perMs);
    at = end;
  }
}
