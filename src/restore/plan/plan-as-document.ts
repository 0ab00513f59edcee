import { holdsItsWal, needsStoredWal } from '../../catalog/basebackup-entry.ts';
import type { IndexedTransaction } from '../../catalog/wal-index/wal-index.ts';
import { inUnits } from '../../lib/bytes-in-words.ts';
import { formatLsn } from '../../postgres/lsn.ts';
import { majorOf } from '../../postgres/versions.ts';
import { startLsnOf } from '../../postgres/wal-name.ts';
import type { Choice } from '../choose.ts';
import type { SiteBackup } from '../kept-alone.ts';
import type { RestorePlan } from '../plan.ts';
import { recoveryFiles } from '../recovery-settings.ts';
import { passwordFile } from '../restore.ts';
import { restoreCommand } from '../restore-command.ts';
import { echoTargetTime } from '../target-time.ts';
import { restoreCommandLine, valueOf } from './command-line.ts';
import { commitTime } from './commit-time.ts';
import type { FoundRecovery } from './find-recovery.ts';
import type { MissingRuns } from './missing-runs.ts';
import type { PlanDeps, PlanRequest } from './plan-request.ts';
import type { RestorePlanDocument } from './restore-plan-document.ts';
import type { WalToFetch } from './wal-to-fetch.ts';
import { timelineAt, type WalWay } from './wal-way.ts';

export interface PlanFacts extends Pick<PlanDeps, 'daemon' | 'configFile' | 'program'> {
  readonly request: PlanRequest;
  readonly found: FoundRecovery;
  /** What a restore takes that is not told which one. */
  readonly choice: Choice<SiteBackup>;
  readonly plan: RestorePlan;
  readonly wal: WalToFetch;
  readonly missing: MissingRuns;
  /** Objects that were looked for. */
  readonly checked: number;
  readonly directories: RestorePlanDocument['directories'];
  /** Why the directories cannot be restored into as they are. */
  readonly obstacle: string | undefined;
  /** There is not enough room: so many bytes more are needed. */
  readonly lackingBytes: number | undefined;
  readonly duration: RestorePlanDocument['duration'];
  readonly now: Date;
}

/** All that has been found out, as it is told. */
export function planAsDocument(facts: PlanFacts): RestorePlanDocument {
  const { request, found, plan, wal, missing, now } = facts;
  const { entry, source } = plan;
  const { target } = request.recovery;
  const { route } = found;
  return {
    site: source.site,
    at: now.toISOString(),
    target: {
      kind: target.kind,
      value: valueOf(target),
      is_exclusive: 'isExclusive' in target && (target.isExclusive ?? false),
      in_zones: target.kind === 'time' ? echoTargetTime(target.time) : [],
    },
    basebackup: {
      name: entry.name,
      key: entry.key,
      because: whyThis(facts),
      start: entry.startTime.toISOString(),
      end: entry.endTime?.toISOString() ?? null,
      stored_bytes: plan.storedBytes,
      plain_bytes: plan.plainBytes ?? null,
      files: plan.fileCount ?? null,
      pg_major: entry.pgVersion === undefined ? null : majorOf(entry.pgVersion),
    },
    timeline: timelineOf(facts),
    wal: {
      first_segment: wal.first ?? null,
      last_segment: wal.last ?? null,
      segments: wal.segments,
      stored_bytes: wal.storedBytes,
      plain_bytes: wal.segments * (route?.way.segmentBytes ?? 0),
    },
    commits: commitsOf(found),
    fetch: { basebackup_bytes: plan.storedBytes, wal_bytes: wal.storedBytes, total_bytes: plan.storedBytes + wal.storedBytes },
    write: { bytes: plan.plainBytes ?? null, files: plan.fileCount ?? null },
    directories: [...facts.directories],
    duration: facts.duration,
    settings: settingsOf(facts),
    objects: { is_complete: missing.isEmpty, checked: facts.checked, missing: [...missing.runs], more_missing: missing.more },
    command: commandOf(facts),
    warnings: warningsOf(facts),
  };
}

function whyThis({ request, found: { skipped }, choice }: PlanFacts): string {
  if (request.basebackup !== 'latest') return 'it is the one that was asked for';
  if (skipped.length > 0) return 'it is the newest one that leads to the target';
  const { kind } = request.recovery.target;
  const isByTarget = (kind === 'time' || kind === 'lsn') && choice.applicable.length > 0;
  return isByTarget ? 'it is the newest one that was complete by the target' : 'it is the newest one';
}

function timelineOf({ found: { route, reached, backup } }: PlanFacts): RestorePlanDocument['timeline'] {
  const own = Number.parseInt(backup.startWalSegment.slice(0, 8), 16);
  if (route === undefined) return { target: own, path: [] };
  const { way } = route;
  const parts = way.parts.filter(({ begin }) => reached === undefined || begin < reached.lsn);
  return {
    target: route.timeline,
    path: parts.map(({ timeline, begin }, index) => {
      const next = parts[index + 1];
      const from = index === 0 ? startLsnOf(backup.startWalSegment, way.segmentBytes) : begin;
      return { timeline, from_lsn: formatLsn(from), to_lsn: next === undefined ? null : formatLsn(next.begin) };
    }),
  };
}

function commitsOf({ route, reached }: FoundRecovery): RestorePlanDocument['commits'] {
  if (route === undefined || reached === undefined)
    return {
      before: null,
      after: null,
      is_exact: false,
      because: 'the WAL that it needs is not in the archive, and nothing is noted of it',
    };
  const { commits } = reached;
  if (commits === undefined) return { before: null, after: null, is_exact: false, because: 'the indexes of the WAL cannot be read here' };
  const { before, after, isExact } = commits;
  return {
    before: before === undefined ? null : asCommit(before, route.way),
    after: after === undefined ? null : asCommit(after, route.way),
    is_exact: isExact,
    because: whyNotAll(reached.commits, route.way),
  };
}

function whyNotAll(commits: NonNullable<FoundRecovery['reached']>['commits'], way: WalWay): string | null {
  if (commits === undefined) return null;
  if (commits.unread > 0) return `${commits.unread} of the segments around it have no index yet, or none that can be read`;
  if (commits.before === undefined)
    return commits.isAllBefore
      ? 'the WAL behind the base backup holds no commit before it'
      : 'nothing was committed in very many segments before it';
  if (!commits.isExact) return 'not every commit is noted, or it is not known which record lies at the position';
  if (commits.after === undefined)
    return commits.isAllAfter
      ? `nothing was committed behind it, up to the end of what is stored, ${formatLsn(way.end)}`
      : 'nothing was committed in very many segments behind it';
  return null;
}

function asCommit({ time, lsn, xid }: IndexedTransaction, way: WalWay) {
  return { time: commitTime(time), lsn: formatLsn(lsn), timeline: timelineAt(way, lsn), xid: xid === 0 ? null : String(xid) };
}

function settingsOf({ found: { wishes }, plan: { entry, source }, daemon }: PlanFacts): RestorePlanDocument['settings'] {
  if (entry.pgVersion === undefined) return null;
  const { credentials, ...server } = daemon;
  const command = restoreCommand({
    ...server,
    site: source.site,
    ...(credentials && { credentials: { username: credentials.username, passwordFile } }),
  });
  // What the base backup itself has of such settings is taken back as well; that is seen once it is there.
  const files = recoveryFiles(entry.pgVersion, wishes, command, { autoConf: '', postgresqlConf: '' });
  return { file: files.settingsFile, text: files.settingsText, signal_file: files.signalFile ?? null };
}

function commandOf({ request, found, plan: { source, entry }, configFile, program }: PlanFacts): string {
  return restoreCommandLine({ ...request, configFile, program, site: source.site, basebackup: entry.name, recovery: found.wishes });
}

function warningsOf({ request, found, choice, plan, missing, lackingBytes: lacking, checked, obstacle }: PlanFacts): string[] {
  const { backup, skipped, route, reached, wishes } = found;
  const isOther = request.basebackup === 'latest' && choice.backup.name !== backup.name;
  const isBounded = wishes.target.kind === 'immediate' && request.recovery.target.kind !== 'immediate';
  return [
    ...(missing.isEmpty ? [] : [`of ${checked} objects that are needed some are not in the store: this restore would fail`]),
    ...(lacking === undefined ? [] : [`there is not enough room: ${inUnits(lacking)} more are needed`]),
    ...(obstacle === undefined ? [] : [obstacle]),
    ...skipped.map(({ name, because }) => `the newer base backup ${name} is not taken: ${because}`),
    ...(isOther ? [`without --basebackup a restore would take ${choice.backup.name}: keep to the command line below`] : []),
    ...(route?.isUnproven ? [`nothing tells where the WAL ends that the base backup needs: maybe not all of it is stored`] : []),
    ...(needsStoredWal(backup) || holdsItsWal(backup) ? [] : ['the WAL of the site is kept elsewhere: nothing is known of it here']),
    ...(isBounded ? ['the WAL behind the base backup is not kept: it is restored to the moment at which it ended'] : []),
    ...(reached?.doubts ?? []),
    ...(plan.plainBytes === undefined ? ['the base backup does not say how large it is unpacked'] : []),
  ];
}
