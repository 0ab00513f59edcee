import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { segmentBytesIn } from '../catalog/wal-entry.ts';
import { OperatorError } from '../lib/errors.ts';
import { nextWalName } from '../postgres/wal-name.ts';
import { endOf, type RecoveryTarget } from './choose.ts';
import type { RestoreSource } from './plan.ts';
import type { RecoveryWishes } from './recovery-settings.ts';
import { formatTargetTime } from './target-time.ts';

/** A backup and the site that has it. */
export interface SiteBackup extends BasebackupEntry {
  readonly source: RestoreSource;
}

/** A target so soon after the end of a base backup is that end. */
const endMs = 1000;

/**
 * Whether the WAL ends with a base backup although newer ones follow: retention keeps some for themselves, without what was written after them. Recovery that
 * asks for more would be told of a hole.
 */
async function isKeptAlone(
  { startWalSegment, endWalSegment }: Pick<BasebackupEntry, 'startWalSegment' | 'endWalSegment'>,
  all: readonly Pick<BasebackupEntry, 'startWalSegment'>[],
  catalog: Catalog,
  signal: AbortSignal,
): Promise<boolean> {
  const hasNewer = all.some((other) => other.startWalSegment.slice(8) > startWalSegment.slice(8));
  const last = hasNewer && endWalSegment !== undefined ? await catalog.findWal(endWalSegment, signal) : undefined;
  const segmentBytes = last && segmentBytesIn(last);
  if (endWalSegment === undefined || segmentBytes === undefined) return false;
  const next = nextWalName(endWalSegment, segmentBytes);
  for await (const timeline of timelinesFrom(endWalSegment.slice(0, 8), catalog, signal)) {
    // The segment in which a timeline was left goes on under the name of the next one.
    const names = timeline === endWalSegment.slice(0, 8) ? [next] : [timeline + endWalSegment.slice(8), timeline + next.slice(8)];
    for (const name of names) if (await catalog.findWal(name, signal)) return false;
  }
  return true;
}

/** What recovery is to do where the WAL ends with the base backup. Throws `target-not-covered` for a target that lies behind it. */
export async function coveredWishes(
  wishes: RecoveryWishes,
  { backup, all }: { readonly backup: SiteBackup; readonly all: readonly SiteBackup[] },
  say: (message: string) => void,
  signal: AbortSignal,
): Promise<RecoveryWishes> {
  const { source, name } = backup;
  const mayStream = (wishes.primaryConninfo ?? '') !== '' && !wishes.toPrimary;
  if (!source.keepsAlone || mayStream || wishes.target.kind === 'immediate') return wishes;
  const ofSite = all.filter((other) => other.source === source);
  if (!(await isKeptAlone(backup, ofSite, source.catalog, signal))) return wishes;
  if (!isAtEnd(wishes.target, endOf(backup))) throw notCovered(wishes.target, backup);
  say(`The WAL behind ${name} is not kept: it is restored to the moment at which it ended, ${endOf(backup).toISOString()}.`);
  return { ...wishes, target: { kind: 'immediate' }, timeline: wishes.timeline === 'latest' ? 'current' : wishes.timeline };
}

function isAtEnd(target: RecoveryTarget, end: Date): boolean {
  return target.kind === 'latest' || (target.kind === 'time' && target.time.epochMs - end.getTime() < endMs);
}

function notCovered(target: RecoveryTarget, backup: SiteBackup): OperatorError {
  const wanted = target.kind === 'time' ? formatTargetTime(target.time) : `the ${target.kind} that was asked for`;
  return new OperatorError(
    'target-not-covered',
    `${wanted} cannot be restored: the WAL behind the base backup ${backup.name} is not kept`,
    {
      hint: `It can be restored to the moment at which it ended, ${endOf(backup).toISOString()}: leave the target out, or choose a newer base backup with --basebackup.`,
    },
  );
}

async function* timelinesFrom(first: string, catalog: Catalog, signal: AbortSignal): AsyncGenerator<string> {
  yield first;
  for await (const { name } of catalog.walFiles('history', { from: `${first}.history`, signal })) {
    if (name.slice(0, 8) > first) yield name.slice(0, 8);
  }
}
