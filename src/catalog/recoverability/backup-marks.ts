import { parseWalName, type WalSegment } from '../../postgres/wal-name.ts';
import type { BasebackupEntry } from '../basebackup-entry.ts';
import type { UnreadableObject } from '../catalog.ts';
import type { DrillEvidence } from '../evidence/drill-evidence.ts';
import type { BasebackupEvidence } from '../evidence/verify-evidence.ts';
import { basebackupNameOf } from '../keys.ts';
import type { Cause } from './cause.ts';
import { momentOf } from './line-windows.ts';
import type { BackupMark, BackupState, RecoverablePoint } from './recoverability.ts';
import { causeInWords } from './words.ts';

type PlacedPoint = RecoverablePoint & { readonly timeline: number };

export interface MarkFacts {
  readonly segmentBytes: number | undefined;
  /** Absent for one that can be restored. */
  readonly cause: Cause | undefined;
  readonly from: PlacedPoint | undefined;
  readonly reaches: PlacedPoint | undefined;
  readonly isAlone: boolean;
  /** Of what is stored now. */
  readonly verified: BasebackupEvidence | undefined;
  /** The last one that passed. */
  readonly drill: DrillEvidence | undefined;
}

export function markOf(entry: BasebackupEntry, facts: MarkFacts): BackupMark {
  const { cause, segmentBytes, from, reaches, verified, drill } = facts;
  const state = cause === undefined ? (drill === undefined ? 'covered' : 'proven') : stateOf(cause);
  return {
    name: entry.name,
    state,
    because: cause === undefined ? whyGood(drill) : causeInWords(cause, segmentBytes ?? 0),
    ...(cause && { cause }),
    timeline: Number.parseInt(entry.startWalSegment.slice(0, 8), 16),
    start: entry.startTime,
    end: entry.endTime,
    storedBytes: entry.storedSize,
    firstSegment: entry.startWalSegment,
    ...(entry.endWalSegment !== undefined && { lastSegment: entry.endWalSegment }),
    ...(from && { from }),
    ...(reaches && { reaches }),
    isAlone: facts.isAlone,
    ...(verified?.result === 'sound' && { verified: new Date(verified.verified_at) }),
    ...(drill && { drilled: new Date(drill.begun_at) }),
  };
}

export function unreadableMark({ key, why }: UnreadableObject): BackupMark {
  const basebackup = basebackupNameOf(key);
  return incomplete(basebackup, { kind: 'basebackup-unreadable', basebackup }, why, undefined);
}

export function unfinishedMark({ name, begun }: { readonly name: string; readonly begun: Date }): BackupMark {
  const why = 'it is being taken, or was given up: chunks of it are stored, but not what makes it complete';
  return incomplete(name, { kind: 'basebackup-unfinished', basebackup: name }, why, begun);
}

/** One that carries its own WAL is restored to the moment at which it ended. */
export function aloneAt(entry: BasebackupEntry, segmentBytes: number | undefined): PlacedPoint {
  const last = parsed(entry.endWalSegment ?? entry.startWalSegment, segmentBytes);
  const timeline = Number.parseInt(entry.startWalSegment.slice(0, 8), 16);
  return { timeline: last?.timeline ?? timeline, lsn: last && (last.number + 1n) * BigInt(segmentBytes ?? 0), time: momentOf(entry) };
}

function parsed(name: string, segmentBytes: number | undefined): WalSegment | undefined {
  try {
    return segmentBytes === undefined ? undefined : parseWalName(name, segmentBytes);
  } catch {
    return undefined;
  }
}

function incomplete(name: string, cause: Cause, because: string, start: Date | undefined): BackupMark {
  const state = stateOf(cause);
  return { name, state, because, cause, start, end: undefined, storedBytes: undefined, isAlone: false };
}

function stateOf({ kind }: Cause): BackupState {
  switch (kind) {
    case 'basebackup-corrupt':
      return 'corrupt';
    case 'basebackup-unreadable':
      return 'unreadable';
    case 'basebackup-unfinished':
      return 'unfinished';
    case 'unproven':
      return 'unproven';
    default:
      return 'lacking';
  }
}

function whyGood(drill: DrillEvidence | undefined): string {
  return drill === undefined ? 'it is complete, and all WAL that it needs is stored' : `a drill has restored it at ${drill.begun_at}`;
}
