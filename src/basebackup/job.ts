import type { Catalog } from '../catalog/catalog.ts';
import type { Applicant } from '../catalog/identity-keeper.ts';
import type { CompressionChoice } from '../codec/codec-options.ts';
import type { CodecPool } from '../codec/pool.ts';
import type { Clock } from '../lib/clock.ts';
import type { DigestSet } from '../lib/digest-set.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Random } from '../lib/random.ts';
import type { ConnInfo } from '../postgres/conninfo.ts';
import type { Spool } from '../transfer/spool.ts';
import type { UploadQueue } from '../transfer/upload-queue.ts';
import type { UsedNames } from './used-names.ts';

export type BasebackupMode = 'local-tar' | 'local-tar-delta-stats' | 'delta' | 'basic' | 'pipe' | 'stream';

/** `pghoard-bb-v2`: chunks made in parallel. `pghoard-bb-v1`: one object, also for readers of version 1.4.0. Only `local-tar` has a choice. */
export type LocalTarFormat = 'pghoard-bb-v1' | 'pghoard-bb-v2';

/** What is to be backed up and how. Plain data, made from the site's configuration. */
export interface BasebackupJob {
  readonly site: string;
  readonly mode: BasebackupMode;
  readonly format: LocalTarFormat;
  /** Asked in this order; the first one that answers and fits is backed up. */
  readonly nodes: readonly ConnInfo[];
  /** `local-tar` and `delta` read it; the other modes only look whether it has tablespaces. */
  readonly dataDirectory?: string | undefined;
  readonly seal: SealChoice;
  /** Plaintext bytes of a chunk at most, unless a single file is larger. */
  readonly chunkBytesMax: number;
  /** Whether pages are checked by who reads the data directory. */
  readonly verifyPages: boolean;
  readonly delta: DeltaChoice;
  /** Chunks that may exist in the spool at once, being made or being uploaded. */
  readonly chunksInProgress: number;
  /** Chunks made at once; the pool's threads if absent. */
  readonly threads?: number | undefined;
  /** How fast the server may send (`stream`). */
  readonly bytesPerSecondMax?: number | undefined;
  /** Put the WAL that the backup needs into the backup itself (`standalone_hot_backup`; `basic` and `pipe`). */
  readonly withWal: boolean;
  /** Where to look for pg_basebackup. */
  readonly programs: ProgramPlaces;
  readonly origin: BasebackupOrigin;
}

/** How `delta` divides the files. */
export interface DeltaChoice {
  /** Files of so many bytes and more are objects of their own, shared by all backups that have the same. */
  readonly fileBytesMin: number;
  /** Plaintext bytes of a bundle of smaller ones at most. */
  readonly bundleBytesMax: number;
}

export interface SealChoice {
  readonly compression: CompressionChoice;
  /** PEM; absent: not encrypted. */
  readonly publicKey?: string | undefined;
  readonly encryptionKeyId?: string | undefined;
  /** Keys that whoever restores will have: `delta` shares objects encrypted with any of them. */
  readonly knownKeyIds?: readonly string[] | undefined;
}

export interface ProgramPlaces {
  readonly sitePath?: string | undefined;
  readonly globalPath?: string | undefined;
  readonly binDirectory?: string | undefined;
}

/** Who wanted the backup and why: metadata that the scheduler reads again later. */
export interface BasebackupOrigin {
  readonly decisionTime: Date;
  readonly reason: 'scheduled' | 'requested';
  readonly normalizedTime?: Date | undefined;
  /** `active_backup_mode` of the site. */
  readonly activeMode: string;
  readonly host: string;
  readonly pghoardVersion: string;
}

export interface BasebackupProgress {
  readonly phase: 'starting' | 'copying' | 'finishing';
  /** Plaintext bytes read so far. */
  readonly bytesDone: number;
  /** An estimate; absent where nobody can tell. */
  readonly bytesTotal?: number | undefined;
  readonly filesDone: number;
}

export interface BasebackupDeps {
  readonly catalog: Catalog;
  readonly spool: Spool;
  /** Those that earlier base backups have had. */
  readonly names: Pick<UsedNames, 'add' | 'has'>;
  readonly uploads: Pick<UploadQueue, 'upload'>;
  readonly pool: CodecPool;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** Rejects where the store of the site is for another cluster, or is not there any more. */
  readonly admit: (applicant: Applicant, signal: AbortSignal) => Promise<void>;
  readonly onProgress?: ((progress: BasebackupProgress) => void) | undefined;
  /** Told of pages whose checksum is wrong, in the modes that check them. Some of each file only. */
  readonly onDamagedPage?: (page: string) => void;
}

/** A backup under way: it has a name that nobody else has and a spool directory of its own. */
export interface RunningBackup {
  readonly job: BasebackupJob;
  readonly deps: BasebackupDeps;
  readonly name: string;
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Hashes of the objects that this backup was the first to store, to be removed if it fails. Some 50 bytes each. */
  readonly newDeltaFiles: DigestSet;
}
