import type { BasebackupEntry } from '../../catalog/basebackup-entry.ts';
import { decideRetention, type RetainableBackup, type RetentionRules } from '../../retention/decide.ts';
import { retainable } from '../../retention/retainable.ts';
import type { NextAction } from './next-action.ts';

export interface DeletionView {
  readonly entries: readonly BasebackupEntry[];
  readonly preserved: ReadonlyMap<string, Date>;
  readonly rules: RetentionRules;
  /** When the next base backup is due. */
  readonly dueAt: Date | undefined;
  /** Why something that is to go is still there. */
  readonly postponed: string | undefined;
  /** Why somebody has to confirm what is to go. */
  readonly pending: string | undefined;
}

/** What goes next: now, or once the next base backup is there. Where that is not known to take anything with it, nothing is told. */
export function nextDeletion(view: DeletionView, now: Date): NextAction | undefined {
  const { entries, preserved, rules, dueAt, postponed, pending } = view;
  if (pending !== undefined) return deletion(`it waits until somebody confirms it (pghoard retention --confirm): ${pending}`);
  if (postponed !== undefined) return deletion(postponed);
  const backups = entries.map((entry) => retainable(entry, { preserved }));
  const [doomed] = decideRetention(backups, rules, now).doomed;
  if (doomed !== undefined) return deletion(`base backup ${doomed.name}: ${doomed.because}`);
  const last = backups.at(-1);
  if (last === undefined || dueAt === undefined || dueAt <= now) return undefined;
  const [later] = decideRetention([...backups, following(last, dueAt)], rules, dueAt).doomed;
  return later && deletion(`base backup ${later.name}, once the next one is complete: ${later.because}`, dueAt);
}

/** Its segment tells only that it is the newest. */
function following({ startWalSegment }: RetainableBackup, dueAt: Date): RetainableBackup {
  const nobodyHas = `the next one of ${dueAt.toISOString()}`;
  return { name: nobodyHas, startTime: dueAt, endTime: dueAt, completed: dueAt, startWalSegment, endWalSegment: startWalSegment };
}

function deletion(because: string, at?: Date): NextAction {
  return { what: 'deletion', ...(at && { at }), because };
}
