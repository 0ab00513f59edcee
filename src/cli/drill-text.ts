import type { DrillEvidence } from '../catalog/evidence/drill-evidence.ts';
import { inUnits } from '../lib/bytes-in-words.ts';
import { durationInWords } from '../lib/time-in-words.ts';

const verdicts: Readonly<Record<DrillEvidence['result'], string>> = {
  passed: 'PASSED',
  failed: 'FAILED',
  impossible: 'NOT HELD, which proves nothing',
};

/** A drill for people. */
export function drillText(evidence: DrillEvidence): string {
  const { basebackup, result, because, replayed_to: replayed, restored_bytes: bytes, replayed_segments: segments, checks } = evidence;
  const reached = replayed && `${replayed.time ?? 'no commit'}, ${replayed.lsn} on timeline ${replayed.timeline}`;
  const rows: (readonly [string, string | null])[] = [
    ['base backup', basebackup],
    ['target', targetText(evidence)],
    ['reached', reached],
    ['restored', bytes === null ? null : inUnits(bytes)],
    ['WAL', segments === null ? null : `${segments} segments`],
    ['took', durationInWords(Math.round(evidence.duration_seconds))],
  ];
  const told = rows.flatMap(([name, value]) => (value === null ? [] : [`  ${name.padEnd(12)} ${value}`]));
  return [
    `Restore drill: ${verdicts[result]}`,
    ...(because === null ? [] : [`  ${because.replaceAll('\n', '\n  ')}`]),
    ...told,
    ...checks.map(checkText),
  ].join('\n');
}

function targetText({ target: { kind, value } }: DrillEvidence): string {
  return value === null ? (kind === 'latest' ? 'the end of the WAL' : 'the end of the base backup') : value;
}

function checkText({ name, result, because, seconds }: DrillEvidence['checks'][number]): string {
  return `  ${name.padEnd(12)} ${result}${seconds === null ? '' : ` in ${seconds} s`}${because === null ? '' : `: ${because}`}`;
}
