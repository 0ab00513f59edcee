import { cleanUpAfterCrash, removeFailedBackup } from '../../src/basebackup/clean-up.ts';
import type { BasebackupDeps, BasebackupJob } from '../../src/basebackup/job.ts';
import { reserveName } from '../../src/basebackup/reserve-name.ts';
import { type BasebackupEntry, chunkMetadata, describeBasebackup, parseBasebackupEntry } from '../../src/catalog/basebackup-entry.ts';
import { DigestSet } from '../../src/lib/digest-set.ts';
import { isOperatorError, OperatorError } from '../../src/lib/errors.ts';
import { formatWalName } from '../../src/postgres/wal-name.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import type { Metadata, ObjectEntry } from '../../src/storage/object-store.ts';
import type { SeededRandom } from '../support/seeded-random.ts';
import { type MadeUpServer, pgVersion, segmentBytes } from './made-up-postgres.ts';
import { lastOf, numberOf, type SimulatedSite, type TrueBackup } from './simulated-site.ts';
import type { YearClock } from './year-clock.ts';

export interface MadeUpBackupWorld {
  readonly year: YearClock;
  readonly random: SeededRandom;
  readonly site: (name: string) => SimulatedSite;
  readonly host: string;
}

const partsMax = 3;
const partMinutesMax = 25;
const retryMs = 30_000;

/** In the place of `takeBasebackup`: stores what a base backup of a made-up server is, with the metadata that it really has. */
export async function takeMadeUpBackup(
  job: BasebackupJob,
  deps: BasebackupDeps,
  signal: AbortSignal,
  world: MadeUpBackupWorld,
): Promise<BasebackupEntry> {
  await cleanUpAfterCrash(deps, signal);
  const site = world.site(job.site);
  const server = serverOf(job, site);
  const { cluster } = site;
  const applicant = {
    what: server.host,
    systemIdentifier: cluster.systemIdentifier + (server.isForeign ? 1n : 0n),
    segmentBytes,
    major: '17',
  };
  await deps.admit(applicant, signal);
  const { name, directory } = await reserveName(deps, signal);
  const { timeline } = server;
  const backup: TrueBackup = {
    name,
    host: world.host,
    mainKey: deps.catalog.keys.basebackupMain(name),
    chunkKeys: [],
    timeline,
    startLsn: server.lsn,
    beganMs: world.year.ms,
    startTime: world.year.now,
    isOfPrimary: server.role === 'primary',
    endLsn: undefined,
    isEndTold: false,
    endedMs: Number.POSITIVE_INFINITY,
    completedMs: undefined,
    isRunning: true,
    wasGood: false,
  };
  site.begin(backup);
  try {
    const parts = world.random.between(1, partsMax);
    for (let part = 1; part <= parts; part++) {
      await deps.clock.sleep(world.random.between(1, partMinutesMax) * 60_000, signal);
      checkServer(server, timeline);
      if (site.areBackupsFailing) throw new OperatorError('postgres-error', 'the made-up server breaks off', { retryable: true });
      const key = deps.catalog.keys.chunk(name, part);
      backup.chunkKeys.push(key);
      await store(deps, key, chunkMetadata({ compression: 'snappy', plainBytes: 100, storedBytes: 16, host: world.host }), signal);
      deps.onProgress?.({ phase: 'copying', bytesDone: part * 100, filesDone: part });
    }
    checkServer(server, timeline);
    const isPrimary = backup.isOfPrimary;
    // Old versions did not know the end of what they took from a standby.
    backup.isEndTold = isPrimary || world.random.next() < 0.8;
    backup.endLsn = server.lsn;
    if (isPrimary) cluster.switchWal(server);
    backup.endedMs = world.year.ms;
    await deps.admit(applicant, signal);
    // Only pg_basebackup leaves it to us to look at a clock.
    const endTime = job.mode === 'basic' ? deps.clock.now() : world.year.now;
    const metadata = metadataOf(job, backup, endTime);
    const entry = await store(deps, backup.mainKey, metadata, signal);
    backup.completedMs = world.year.ms;
    backup.isRunning = false;
    return parseBasebackupEntry(entry);
  } catch (error) {
    backup.isRunning = false;
    await removeFailedBackup(deps, { name, directory, newDeltaFiles: new DigestSet() }, signal).catch(() => {});
    throw error;
  } finally {
    await cleanUpAfterCrash(deps, signal).catch(() => {});
  }
}

function serverOf({ nodes }: BasebackupJob, { cluster }: SimulatedSite): MadeUpServer {
  const servers = nodes.flatMap(({ host }) => cluster.servers.find((server) => server.host === host) ?? []);
  const server = servers.find(({ isUp, isHanging }) => isUp && !isHanging);
  if (server !== undefined) return server;
  throw new OperatorError('postgres-unreachable', 'no made-up server answers', { retryable: true });
}

function checkServer(server: MadeUpServer, timeline: number): void {
  if (server.isUp && !server.isHanging && server.timeline === timeline) return;
  throw new OperatorError('postgres-unreachable', `the connection to ${server.host} was lost`, { retryable: true });
}

/** As the upload queue does: again and again, until it is stored. */
async function store({ catalog, clock }: BasebackupDeps, key: string, metadata: Metadata, signal: AbortSignal): Promise<ObjectEntry> {
  for (;;) {
    try {
      return await catalog.store.put(key, sourceOfBytes(Buffer.from('sixteen bytes...')), { metadata, signal });
    } catch (error) {
      if (!isOperatorError(error)) throw error;
      await clock.sleep(retryMs, signal);
    }
  }
}

function metadataOf(job: BasebackupJob, backup: TrueBackup, endTime: Date): Metadata {
  const { timeline, startLsn, endLsn = startLsn, startTime, isOfPrimary, isEndTold } = backup;
  const { decisionTime, reason, normalizedTime, host, activeMode } = job.origin;
  return describeBasebackup({
    startTime,
    startWalSegment: formatWalName({ timeline, number: numberOf(startLsn) }, segmentBytes),
    endTime,
    endWalSegment: isEndTold ? formatWalName({ timeline, number: lastOf(endLsn) }, segmentBytes) : undefined,
    backupFrom: isOfPrimary ? 'primary' : 'standby',
    compression: 'snappy',
    format: 'pghoard-bb-v2',
    plainBytes: 100,
    storedBytes: 16,
    totals: { plainBytes: 300, storedBytes: 48 },
    pgVersion,
    host,
    site: job.site,
    activeBackupMode: activeMode,
    basebackupMode: job.mode,
    decisionTime,
    reason,
    normalizedTime,
  });
}
