import { type BasebackupDescription, describeBasebackup } from '../catalog/basebackup-entry.ts';
import type { SealResult } from '../codec/codec-options.ts';
import type { Metadata } from '../storage/object-store.ts';
import type { BasebackupJob } from './job.ts';

/** What becomes known of a backup while it is taken; the job knows the rest. */
export type BasebackupFacts = Pick<
  BasebackupDescription,
  | 'startTime'
  | 'startWalSegment'
  | 'endTime'
  | 'endWalSegment'
  | 'endLsn'
  | 'backupFrom'
  | 'pgVersion'
  | 'compressionLevel'
  | 'format'
  | 'totals'
  | 'tablespaces'
>;

/** Metadata of a backup's main object, which came out as `sealed`. */
export function mainObjectMetadata(job: BasebackupJob, sealed: SealResult, facts: BasebackupFacts): Metadata {
  const { host, activeMode: activeBackupMode, decisionTime, reason, normalizedTime } = job.origin;
  return describeBasebackup({
    ...facts,
    ...sealKeys(job),
    plainBytes: sealed.plainBytes,
    storedBytes: sealed.sealedBytes,
    site: job.site,
    basebackupMode: job.mode,
    host,
    activeBackupMode,
    decisionTime,
    reason,
    normalizedTime,
  });
}

/** How a reader undoes the sealing. */
export function sealKeys({ seal }: BasebackupJob) {
  return { compression: seal.compression.algorithm, encryptionKeyId: seal.publicKey === undefined ? undefined : seal.encryptionKeyId };
}
