import type { WalRanges } from '../catalog/wal-ranges.ts';
import { parseWalName, type WalSegment } from '../postgres/wal-name.ts';

/** Undefined for what is no segment of this size. */
export function segmentOf(name: string, segmentBytes: number): WalSegment | undefined {
  try {
    return parseWalName(name, segmentBytes);
  } catch {
    return undefined;
  }
}

export function includes(ranges: WalRanges, { timeline, number }: WalSegment): boolean {
  return ranges.of(timeline).some(({ first, last }) => first <= number && number <= last);
}
