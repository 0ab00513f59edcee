import { fingerprintOf } from '../catalog/evidence/fingerprint.ts';
import { ObjectSum } from '../catalog/evidence/object-sum.ts';
import type { WalEvidence, WalRunEvidence } from '../catalog/evidence/verify-evidence.ts';
import { historyNameOf, parseWalName } from '../postgres/wal-name.ts';
import type { DamagedObject, FolderEvidence, ProvenRun } from './proven.ts';
import type { StoredFile } from './survey-folder.ts';

/** What is known of the folders of WAL segments and of timeline histories. */
export interface WalFolders {
  readonly xlog: FolderEvidence;
  readonly timeline: FolderEvidence;
}

/** From what is noted of each timeline. */
export function foldersOf(notes: readonly WalEvidence[]): WalFolders {
  const xlog = { runs: [] as ProvenRun[], damaged: [] as DamagedObject[] };
  const timeline = { runs: [] as ProvenRun[], damaged: [] as DamagedObject[] };
  for (const note of notes) {
    for (const run of note.runs) {
      if (run.result === 'corrupt') xlog.damaged.push(...damagedOf({ ...run, name: run.from }));
      else xlog.runs.push(...runOf(run, note.segment_bytes));
    }
    const { history } = note;
    if (history === null) continue;
    const name = historyNameOf(note.timeline);
    if (history.result === 'corrupt') timeline.damaged.push(...damagedOf({ ...history, name }));
    else timeline.runs.push(...runOf({ ...history, from: name, to: name, bytes: 0 }, undefined));
  }
  return { xlog, timeline };
}

/** To be noted of each timeline of which anything is known. */
export function notesOf({ xlog, timeline }: WalFolders, segmentBytes: number): WalEvidence[] {
  const histories = [
    ...timeline.runs.map((run) => ({ name: run.first, note: { ...proofOf(run), result: 'sound' as const, findings: [] } })),
    ...timeline.damaged.map((each) => ({
      name: each.name,
      note: { ...proofOf(each), result: 'corrupt' as const, findings: findingsOf(each) },
    })),
  ];
  const runs: WalRunEvidence[] = [
    ...xlog.runs.map((run) => ({
      from: run.first,
      to: run.last,
      ...proofOf(run),
      bytes: run.bytes,
      modified: run.modified.toISOString(),
      result: 'sound' as const,
      findings: [],
    })),
    ...xlog.damaged.map((each) => ({
      from: each.name,
      to: each.name,
      ...proofOf(each),
      bytes: each.size,
      result: 'corrupt' as const,
      findings: findingsOf(each),
    })),
  ].toSorted((a, b) => (a.from < b.from ? -1 : 1));
  const timelines = new Set([...histories.map(({ name }) => name.slice(0, 8)), ...runs.map(({ from }) => from.slice(0, 8))]);
  return [...timelines].toSorted().map((digits) => ({
    format: 1,
    kind: 'wal',
    timeline: Number.parseInt(digits, 16),
    segment_bytes: segmentBytes,
    history: histories.find(({ name }) => name.startsWith(digits))?.note ?? null,
    runs: runs.filter(({ from }) => from.startsWith(digits)),
  }));
}

type Run = Pick<WalRunEvidence, 'from' | 'to' | 'bytes' | 'fingerprint' | 'verified_at'> & { readonly modified?: string | undefined };

/** None of what cannot be compared with a listing. */
function runOf({ from, to, bytes, fingerprint, verified_at, modified }: Run, segmentBytes: number | undefined): ProvenRun[] {
  const when = new Date(verified_at);
  if (from === to) {
    const file = fileOf(from, fingerprint);
    if (file === undefined) return [];
    const sum = new ObjectSum();
    sum.addObject(file);
    return [{ first: from, last: to, objects: 1, bytes: file.size, modified: file.lastModified, sum: String(sum), when }];
  }
  const objects = segmentBytes === undefined ? undefined : segmentsFrom(from, to, segmentBytes);
  if (modified === undefined || objects === undefined || !/^[0-9a-f]{16}$/.test(fingerprint)) return [];
  return [{ first: from, last: to, objects, bytes, modified: new Date(modified), sum: fingerprint, when }];
}

function damagedOf(
  note: Pick<Run, 'fingerprint' | 'verified_at'> & Pick<WalRunEvidence, 'findings'> & { readonly name: string },
): DamagedObject[] {
  const file = fileOf(note.name, note.fingerprint);
  const [finding] = note.findings;
  if (file === undefined || finding === undefined) return [];
  const { code, because: cause } = finding;
  return [{ name: note.name, size: file.size, modified: file.lastModified, when: new Date(note.verified_at), code, cause }];
}

function proofOf(known: ProvenRun | DamagedObject) {
  const size = 'bytes' in known ? known.bytes : known.size;
  const isSingle = !('objects' in known) || known.objects === 1;
  const fingerprint = isSingle ? fingerprintOf({ size, lastModified: known.modified }) : known.sum;
  return { fingerprint, verified_at: known.when.toISOString() };
}

function findingsOf({ code, cause }: DamagedObject): WalRunEvidence['findings'] {
  return [{ code, because: cause, object: null }];
}

function fileOf(name: string, fingerprint: string): StoredFile | undefined {
  const [size, time = ''] = fingerprint.split(' ');
  const lastModified = new Date(time);
  return Number.isNaN(lastModified.getTime()) ? undefined : { name, size: Number(size), lastModified };
}

function segmentsFrom(first: string, last: string, segmentBytes: number): number | undefined {
  try {
    return Number(parseWalName(last, segmentBytes).number - parseWalName(first, segmentBytes).number) + 1;
  } catch {
    return undefined;
  }
}
