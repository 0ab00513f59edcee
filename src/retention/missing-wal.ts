import { type BasebackupEntry, needsStoredWal } from '../catalog/basebackup-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { firstMissing } from './first-missing.ts';
import type { HistoryReader } from './stored-histories.ts';

/** What keeps a base backup from counting as one that can be restored. */
export type WalDoubt =
  | { readonly kind: 'missing'; readonly segment: string }
  /** It does not tell where its WAL ends, nor does anything else prove that it is stored. */
  | { readonly kind: 'end-unknown' };

/** The clocks of server and store may differ. */
const clockSkewMsMax = 60_000;

/** Whether all the WAL is stored that a base backup needs to become consistent; `others` are those of the same site. Undefined: it certainly is, or is not for us to keep. */
export async function walDoubtOf(
  entry: BasebackupEntry,
  others: readonly BasebackupEntry[],
  catalog: Catalog,
  { signal, readHistory = async () => undefined }: { readonly signal?: AbortSignal; readonly readHistory?: HistoryReader } = {},
): Promise<WalDoubt | undefined> {
  if (!needsStoredWal(entry)) return undefined;
  const end = entry.endWalSegment ?? endProvenBy(entry, others);
  if (end === undefined) return { kind: 'end-unknown' };
  const span = { start: entry.startWalSegment, end, endLsn: entry.endLsn };
  const segment = await firstMissing(span, { catalog, readHistory, signal });
  if (segment === undefined) return undefined;
  // What lies behind its own end, wherever that is, may have gone with base backups that needed it: then only the proof is lost.
  const isProofLost = entry.endWalSegment === undefined && segment !== entry.startWalSegment;
  return isProofLost ? { kind: 'end-unknown' } : { kind: 'missing', segment };
}

/**
 * Old versions did not tell the end of what they took from a standby, or by pg_basebackup. It lies before the end of any base backup that was begun later, of the primary: a standby may have
 * been behind. The nearest one of those.
 */
function endProvenBy(entry: BasebackupEntry, others: readonly BasebackupEntry[]): string | undefined {
  const later = others.filter((other) => isCertainlyLater(other, entry)).flatMap(({ endWalSegment }) => endWalSegment ?? []);
  return later.toSorted()[0];
}

function isCertainlyLater(other: BasebackupEntry, { startWalSegment, lastModified }: BasebackupEntry): boolean {
  const begunMs = other.startTime.getTime();
  const isClockRight = begunMs <= other.lastModified.getTime() + clockSkewMsMax;
  const isBehind = other.startWalSegment.slice(8) >= startWalSegment.slice(8);
  return other.backupFrom !== 'standby' && isBehind && isClockRight && begunMs >= lastModified.getTime() + clockSkewMsMax;
}
