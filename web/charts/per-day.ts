import type { RecoverabilityDocument } from '../../src/daemon/http/api.ts';
import { msOf } from '../format.ts';

export interface DayOfStorage {
  /** Midnight by the viewer's clock. */
  readonly dayMs: number;
  readonly bytes: number;
  readonly basebackups: number;
  /** As `walPerDay`. */
  readonly walBytes: number;
}

const daysMax = 400;

/**
 * What the base backups that there are take, by the day on which they ended, and the WAL of that day; each day from the first to the last, the newest {@link daysMax} at most.
 */
export function storagePerDay(
  basebackups: RecoverabilityDocument['basebackups'],
  wal: ReadonlyMap<number, number> = new Map(),
): readonly DayOfStorage[] {
  const days = new Map<number, { bytes: number; basebackups: number }>();
  for (const { start, end, stored_bytes: bytes } of basebackups) {
    const ms = msOf(end) ?? msOf(start);
    if (ms === undefined) continue;
    const day = new Date(ms).setHours(0, 0, 0, 0);
    const sum = days.get(day) ?? { bytes: 0, basebackups: 0 };
    days.set(day, { bytes: sum.bytes + (bytes ?? 0), basebackups: sum.basebackups + 1 });
  }
  const known = [...days.keys(), ...wal.keys()];
  if (known.length === 0) return [];
  const last = known.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const first = known.reduce((a, b) => Math.min(a, b), last);
  const all: DayOfStorage[] = [];
  for (let dayMs = last; dayMs >= first && all.length < daysMax; dayMs = dayBefore(dayMs)) {
    all.unshift({ dayMs, ...(days.get(dayMs) ?? { bytes: 0, basebackups: 0 }), walBytes: wal.get(dayMs) ?? 0 });
  }
  return all;
}

function dayBefore(ms: number): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() - 1).getTime();
}
