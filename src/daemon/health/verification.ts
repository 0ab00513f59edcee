import type { WalEvidence, WalRunEvidence } from '../../catalog/evidence/verify-evidence.ts';
import { verifiedBackups } from '../../catalog/recoverability/find-recoverability.ts';
import type { WalArchiveView } from '../../catalog/wal-archive-view.ts';
import { segmentOf } from '../../verify/segment-of.ts';
import type { SiteHealthView } from './health-view.ts';

/** What `verify` has last found out of what is stored now. */
export interface Verification {
  /** When something was read last, and when what was read longest ago; absent where nothing that is stored ever was. */
  readonly newest?: Date;
  readonly oldest?: Date;
  /** Stored bytes too. Absent until they are listed. */
  readonly basebackups?: Share & { readonly storedBytes: number; readonly soundBytes: number };
  /** Absent where it is not known which are stored. */
  readonly segments?: Share;
  /** The worst first; of very many only the first. */
  readonly findings: readonly NotedFinding[];
  readonly findingsCount: number;
}

/** Of so many that are stored, so many are sound, so many damaged; of the others nobody knows. */
export interface Share {
  readonly stored: number;
  readonly sound: number;
  readonly damaged: number;
}

export interface NotedFinding {
  readonly severity: 'damaged' | 'warning';
  readonly code: string;
  /** Key of the object, or the name of the base backup or segment. */
  readonly object: string;
  readonly because: string;
}

const findingsMax = 20;

export function verificationOf({ backups, wal, knowledge }: SiteHealthView): Verification {
  const { listing } = backups;
  const archive = wal === undefined || typeof wal.archive === 'string' ? undefined : wal.archive;
  const ofBackups = listing === undefined ? [] : [...verifiedBackups({ basebackups: listing, evidence: knowledge.evidence }).values()];
  const ofWal = knowledge.evidence.verify.filter((each) => each.kind === 'wal');
  const runs = archive === undefined ? [] : ofWal.flatMap((each) => storedRunsOf(each, archive));
  const times = [...ofBackups, ...runs.map(({ run }) => run)].map(({ verified_at }) => Date.parse(verified_at));
  const findings = [
    ...ofBackups.flatMap(({ name, result, findings: found }) => found.map((each) => noted(each, result, name))),
    ...runs.flatMap(({ run }) => run.findings.map((each) => noted(each, run.result, run.from))),
  ].toSorted((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'));
  const nameOfSound = new Set(ofBackups.filter(({ result }) => result === 'sound').map(({ name }) => name));
  return {
    ...(times.length > 0 && { newest: new Date(greatest(times)), oldest: new Date(-greatest(times.map((ms) => -ms))) }),
    ...(listing && {
      basebackups: {
        stored: listing.entries.length,
        sound: nameOfSound.size,
        damaged: ofBackups.length - nameOfSound.size,
        storedBytes: sum(listing.entries.map(({ storedSize }) => storedSize)),
        soundBytes: sum(listing.entries.filter(({ name }) => nameOfSound.has(name)).map(({ storedSize }) => storedSize)),
      },
    }),
    ...(archive && {
      segments: {
        stored: sum(archive.ranges.timelines.flatMap((timeline) => archive.ranges.of(timeline)).map(lengthOf)),
        sound: sum(runs.filter(({ run }) => run.result === 'sound').map(({ segments }) => segments)),
        damaged: sum(runs.filter(({ run }) => run.result === 'corrupt').map(({ segments }) => segments)),
      },
    }),
    findings: findings.slice(0, findingsMax),
    findingsCount: findings.length,
  };
}

/** Runs of which something is still stored, and how many segments that is. */
function storedRunsOf({ timeline, segment_bytes, runs }: WalEvidence, { ranges, segmentBytes }: WalArchiveView) {
  if (segment_bytes !== segmentBytes) return [];
  const stored = ranges.of(timeline);
  return runs.flatMap((run: WalRunEvidence) => {
    const [first, last] = [segmentOf(run.from, segmentBytes)?.number, segmentOf(run.to, segmentBytes)?.number];
    if (first === undefined || last === undefined) return [];
    const segments = sum(
      stored
        .filter((range) => range.first <= last && range.last >= first)
        .map((range) => lengthOf({ first: range.first > first ? range.first : first, last: range.last < last ? range.last : last })),
    );
    return segments === 0 ? [] : [{ run, segments }];
  });
}

function noted(
  { code, because, object }: { readonly code: string; readonly because: string; readonly object: string | null },
  result: 'sound' | 'corrupt',
  name: string,
): NotedFinding {
  return { severity: result === 'corrupt' ? 'damaged' : 'warning', code, object: object ?? name, because };
}

function lengthOf({ first, last }: { readonly first: bigint; readonly last: bigint }): number {
  return Number(last - first) + 1;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0);
}

function greatest(numbers: readonly number[]): number {
  return numbers.reduce((most, each) => (each > most ? each : most), Number.NEGATIVE_INFINITY);
}
