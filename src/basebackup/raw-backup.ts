import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Applicant } from '../catalog/identity-keeper.ts';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';
import { parseBackupLabel } from '../postgres/backup-label.ts';
import { lendPassword } from '../postgres/program-login.ts';
import { findProgram } from '../postgres/programs.ts';
import { majorOf } from '../postgres/versions.ts';
import { lastWalNameBefore } from '../postgres/wal-name.ts';
import { mainObjectMetadata } from './facts.ts';
import type { RunningBackup } from './job.ts';
import type { MainObject } from './main-object.ts';
import { damagedPageIn, type PgBasebackupCommand, pgBasebackupCommand } from './pg-basebackup.ts';
import { findReplicationSource } from './replication-source.ts';
import type { RawResult, WarningReport } from './seal-raw.job.ts';

/** What `basic` and `pipe` have in common: an archive made by pg_basebackup, stored as one object as it is. */
export interface RawPlan {
  readonly command: PgBasebackupCommand;
  readonly cluster: Applicant;
  readonly segmentBytes: number;
  readonly serverVersion: number;
  readonly begunAt: Date;
  /** The password that pg_basebackup connects with, to be disposed of once it has ended. What fails takes it along. */
  readonly password: AsyncDisposable;
}

/** Asks the server for its version, finds a pg_basebackup that fits, and refuses what the result could not hold. */
export async function planRawBackup(backup: RunningBackup, pgdata: string): Promise<RawPlan> {
  const { job, deps } = backup;
  if (job.dataDirectory !== undefined) await refuseTablespaces(job.dataDirectory);
  const { node, target, cluster, serverVersion } = await findReplicationSource(backup);
  deps.log.info({ server: target, pgVersion: serverVersion }, 'pg_basebackup copies the cluster');
  const program = await findProgram('pg_basebackup', { ...given(job.programs), major: majorOf(serverVersion) });
  const passwordFile = join(backup.directory, 'pgpass');
  const login = { node, passwordFile };
  const command = pgBasebackupCommand(program.path, { ...login, pgdata, withWal: job.withWal });
  const password = await lendPassword(login.node, passwordFile);
  return { command, cluster, segmentBytes: cluster.segmentBytes, serverVersion, begunAt: deps.clock.now(), password };
}

export function describeRawBackup(backup: RunningBackup, plan: Omit<RawPlan, 'password'>, path: string, sealed: RawResult): MainObject {
  const { job, deps, name } = backup;
  const { walEnd } = sealed;
  const label = parseBackupLabel(sealed.label, { startTimeFallback: plan.begunAt });
  const metadata = mainObjectMetadata(job, sealed, {
    startTime: label.startTime,
    startWalSegment: label.startWalSegment,
    // By our own clock, a little after the end: a recovery target before it could lie within the backup.
    endTime: deps.clock.now(),
    endWalSegment: walEnd && lastWalNameBefore(walEnd.lsn, walEnd.timeline, plan.segmentBytes),
    endLsn: walEnd?.lsn,
    backupFrom: label.backupFrom,
    pgVersion: plan.serverVersion,
    compressionLevel: job.seal.compression.level,
  });
  return { key: deps.catalog.keys.basebackup(name), path, storedBytes: sealed.sealedBytes, metadata, cluster: plan.cluster };
}

/** For `onReport`: hands warnings to the log and pages with wrong checksums to who wants to know of them, everything else on. */
export function logWarnings(backup: RunningBackup, next: (message: unknown) => void): (message: unknown) => void {
  return (message) => {
    const warning = (message as Partial<WarningReport> | undefined)?.warning;
    if (warning === undefined) return next(message);
    backup.deps.log.warn({ said: warning }, 'pg_basebackup warns');
    const page = damagedPageIn(warning);
    if (page !== undefined) backup.deps.onDamagedPage?.(page);
  };
}

/** The object holds one archive, and user tablespaces come as further ones. */
export function tablespacesRefused(where: string): OperatorError {
  return new OperatorError('tablespace-unsupported', `${where}, and the modes "basic" and "pipe" cannot store user tablespaces`, {
    hint: 'Use "basebackup_mode": "stream" or "local-tar" for this site.',
  });
}

async function refuseTablespaces(dataDirectory: string): Promise<void> {
  const directory = join(dataDirectory, 'pg_tblspc');
  try {
    const links = (await readdir(directory, { withFileTypes: true })).filter((entry) => entry.isSymbolicLink());
    if (links.length > 0) throw tablespacesRefused(`${directory} has ${links.length} tablespace${links.length === 1 ? '' : 's'}`);
  } catch (error) {
    // The server may run elsewhere; pg_basebackup itself will refuse or we see its files.
    if (!['ENOENT', 'EACCES'].includes(systemErrorCode(error) ?? '')) throw error;
  }
}

function given(places: RunningBackup['job']['programs']): Record<string, string> {
  return Object.fromEntries(Object.entries(places).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
