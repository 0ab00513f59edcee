import { parseLsn } from '../../postgres/lsn.ts';
import type { DrillEvidence } from '../evidence/drill-evidence.ts';
import { type LineFindings, type LineWindow, latest, momentOf } from './line-windows.ts';
import { lesser } from './reaches.ts';

/** What drills have restored and replayed, as far as it is all still there. */
export function provenWindows(findings: readonly LineFindings[], drills: readonly DrillEvidence[]): readonly LineFindings[] {
  return drills.flatMap((drill) => {
    const { result, replayed_to: replayed } = drill;
    if (result !== 'passed' || replayed === null) return [];
    const found = findings.filter(({ line }) => line.timeline === drill.timeline || line.timeline === replayed.timeline);
    return found.flatMap(({ line, windows }) => {
      const isOn = line.includes({ timeline: replayed.timeline, lsn: parseLsn(replayed.lsn) });
      const proven = isOn ? windows.flatMap((window) => provenOf(window, drill) ?? []) : [];
      return proven.length === 0 ? [] : [{ line, windows: proven, unproven: [] }];
    });
  });
}

function provenOf(window: LineWindow, { basebackup, replayed_to: replayed }: DrillEvidence): LineWindow | undefined {
  const backup = window.backups.find(({ name }) => name === basebackup);
  if (backup === undefined || replayed === null) return undefined;
  const lsn = parseLsn(replayed.lsn);
  const { stretch } = window;
  const from = momentOf(backup.entry);
  const time = replayed.time === null ? undefined : new Date(replayed.time);
  const isAll = lsn >= stretch.endLsn;
  const until = latest([isAll ? window.until : undefined, time].filter((each) => each !== undefined && each >= from));
  return { ...window, backups: [backup], from, until, stretch: { ...stretch, endLsn: lesser(lsn, stretch.endLsn) } };
}
