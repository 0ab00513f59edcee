import type { SiteHealthView } from './health-view.ts';

/** What the daemon will do by itself, or waits for. */
export interface NextAction {
  readonly what: 'basebackup' | 'deletion' | 'wal';
  readonly at?: Date;
  readonly because: string;
}

export function nextActions({ backups, because, retentionPostponed, wal }: SiteHealthView): readonly NextAction[] {
  const { dueAt } = backups;
  return [
    { what: 'basebackup', ...(dueAt && { at: dueAt }), because },
    ...(retentionPostponed === undefined ? [] : [{ what: 'deletion', because: retentionPostponed } as const]),
    ...walActions(wal),
  ];
}

function walActions(wal: SiteHealthView['wal']): readonly NextAction[] {
  if (wal === undefined) return [];
  const open = wal.troubles.findLast(({ trouble: { isOpen } }) => isOpen);
  const { receiver } = wal;
  return [
    ...(open === undefined ? [] : [action(`${open.trouble.words}: ${open.sought?.because ?? 'it is looked for elsewhere'}`)]),
    ...(receiver === undefined || receiver.running ? [] : [action(`WAL is not being received: ${receiver.because}`)]),
  ];
}

function action(because: string): NextAction {
  return { what: 'wal', because };
}
