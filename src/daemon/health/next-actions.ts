import type { SiteHealthView } from './health-view.ts';
import type { NextAction } from './next-action.ts';

export function nextActions({ backups, because, deletion, wal }: SiteHealthView): readonly NextAction[] {
  const { dueAt } = backups;
  return [{ what: 'basebackup', ...(dueAt && { at: dueAt }), because }, ...(deletion === undefined ? [] : [deletion]), ...walActions(wal)];
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
