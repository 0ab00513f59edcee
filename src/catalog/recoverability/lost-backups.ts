import type { BasebackupEvidence } from '../evidence/verify-evidence.ts';
import type { Cause } from './cause.ts';
import type { LostBackup } from './hole-cause.ts';
import type { LineFindings } from './line-windows.ts';
import type { StoredLine } from './stored-line.ts';
import type { WalBackup } from './wal-backup.ts';

/** Complete base backups that no line can be recovered from, and why. */
export function lostBackups(
  all: readonly WalBackup[],
  findings: readonly LineFindings[],
  verified: ReadonlyMap<string, BasebackupEvidence>,
): readonly LostBackup[] {
  const whole = new Set(findings.flatMap(({ windows }) => windows.flatMap(({ backups }) => backups.map(({ name }) => name))));
  const unproven = new Set(findings.flatMap((each) => each.unproven.map(({ backup }) => backup.name)));
  return all
    .filter(({ name }) => !whole.has(name))
    .map((backup) => {
      const { name } = backup;
      if (verified.get(name)?.result === 'corrupt') return { backup, cause: { kind: 'basebackup-corrupt', basebackup: name } };
      if (unproven.has(name)) return { backup, cause: { kind: 'unproven', basebackup: name } };
      return { backup, cause: lackingOf(backup, findings.findLast(({ line }) => line.isFor(backup))?.line) };
    });
}

function lackingOf(backup: WalBackup, line: StoredLine | undefined): Cause {
  const { name, start, end = start } = backup;
  const cause = { kind: 'basebackup-lacking', basebackup: name } as const;
  if (line === undefined) return cause;
  const first = line.stretchOf(backup)?.end ?? start.number;
  if (first > end.number) return cause;
  const next = line.stretches.find((stretch) => stretch.first > first)?.first ?? end.number + 1n;
  return { ...cause, wal: { timeline: end.timeline, first, last: next <= end.number ? next - 1n : end.number } };
}
