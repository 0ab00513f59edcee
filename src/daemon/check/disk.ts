import { join } from 'node:path';
import type { Config, SiteConfig } from '../../config/load.ts';
import { inUnits } from '../../lib/bytes-in-words.ts';
import { ago } from '../../lib/time-in-words.ts';
import { defaultSegmentBytes } from '../../postgres/wal-name.ts';
import { Spool } from '../../transfer/spool.ts';
import { findWalDirectory } from '../../wal/wal-directory.ts';
import { readsDataDirectory } from '../basebackup-mode.ts';
import { type Backlog, type DiskFacts, lookAtBacklog, lookAtDisk } from './disk-facts.ts';
import { about, type Finding, failure, note, ok, warning } from './finding.ts';

const segmentsMin = 3;
const freeFilesMin = 1_000;
const fullShare = 0.9;
const nearlyFullShare = 0.97;
const backlogAgeMsMax = 10 * 60_000;

/** What is known of the cluster that says how much room its backups take here. */
export interface RoomFacts {
  readonly segmentBytes: number | undefined;
  readonly databaseBytes: number | undefined;
}

export interface RoomNeeded {
  readonly segmentBytes: number;
  /** For the parts of one base backup that wait for their upload; undefined: not known. */
  readonly basebackupBytes: number | undefined;
}

/** The disks that the backup of a site goes through. */
export async function checkDisks(site: SiteConfig, config: Config, facts: RoomFacts, now: Date): Promise<Finding[]> {
  const findings: Finding[] = [];
  const location = config.backup_location;
  if (location !== null) {
    findings.push(...judgeRoom(await lookAtDisk(location), roomNeeded(site, facts)));
    const spool = new Spool(location, site.prefix);
    findings.push(judgeBacklog(await lookAtBacklog([spool.walDirectory, spool.historyDirectory]), now));
  }
  const data = site.pg_data_directory;
  const wal = data === null ? undefined : await findWalDirectory(data);
  if (wal !== undefined) findings.push(judgeWalDisk(await lookAtDisk(wal)));
  const storage = site.object_storage;
  if (storage.storage_type !== 'local') return findings;
  const store = await lookAtDisk(join(storage.directory, storage.prefix ?? ''));
  findings.push(judgeStoreDisk(store), ...(data === null ? [] : judgeSharedDisk(store, await lookAtDisk(data))));
  return findings;
}

/** How much of a base backup lies in `backup_location` at once, by its mode. */
export function roomNeeded(
  site: Pick<SiteConfig, 'basebackup_mode' | 'basebackup_chunk_size' | 'basebackup_chunks_in_progress'>,
  { segmentBytes = defaultSegmentBytes, databaseBytes }: RoomFacts,
): RoomNeeded {
  if (!readsDataDirectory(site.basebackup_mode)) return { segmentBytes, basebackupBytes: databaseBytes };
  const chunks = site.basebackup_chunk_size * site.basebackup_chunks_in_progress;
  return { segmentBytes, basebackupBytes: databaseBytes === undefined ? undefined : Math.min(chunks, databaseBytes) };
}

export function judgeRoom({ path, freeBytes, freeFiles }: DiskFacts, { segmentBytes, basebackupBytes }: RoomNeeded): Finding[] {
  const files =
    freeFiles !== undefined && freeFiles < freeFilesMin
      ? [about(path, failure('inodes', `only ${freeFiles} more files fit (inodes)`, `df -i ${path}`))]
      : [];
  const text = `${inUnits(freeBytes)} are free`;
  if (freeBytes < segmentsMin * segmentBytes) {
    return [
      about(
        path,
        failure('room', `${text}: not even ${segmentsMin} WAL segments fit, so that nothing can be archived`, `make room: df -h ${path}`),
      ),
      ...files,
    ];
  }
  if (basebackupBytes !== undefined && freeBytes < basebackupBytes) {
    const needs = `a base backup takes up to ${inUnits(basebackupBytes)} there before compression`;
    return [
      about(path, warning('room', `${text}, and ${needs}`, 'make room, or lower basebackup_chunk_size or basebackup_chunks_in_progress')),
      ...files,
    ];
  }
  return [about(path, ok('room', text)), ...files];
}

export function judgeBacklog({ files, bytes, oldest }: Backlog, now: Date): Finding {
  if (files === 0 || oldest === undefined) return ok('backlog', 'no WAL waits for its upload');
  const text = `${files} files (${inUnits(bytes)}) wait for their upload, the oldest from ${ago(oldest, now)}`;
  if (now.getTime() - oldest.getTime() <= backlogAgeMsMax) return ok('backlog', text);
  return warning('backlog', text, 'start the daemon, or see what the store says: the findings above, and the log of the daemon');
}

export function judgeWalDisk({ path, freeBytes, totalBytes }: DiskFacts): Finding {
  const used = 1 - freeBytes / totalBytes;
  const text = `${Math.round(used * 100)} % full, ${inUnits(freeBytes)} are free`;
  if (used < fullShare) return about(path, ok('wal-disk', text));
  const verdict = used < nearlyFullShare ? warning : failure;
  return about(
    path,
    verdict(
      'wal-disk',
      `${text}: PostgreSQL stops when it is full`,
      'is archiving behind, or does a slot keep WAL? Make room elsewhere on the disk, never in pg_wal',
    ),
  );
}

export function judgeStoreDisk({ path, freeBytes, totalBytes }: DiskFacts): Finding {
  const used = 1 - freeBytes / totalBytes;
  const text = `${Math.round(used * 100)} % full, ${inUnits(freeBytes)} are free`;
  if (used < fullShare) return about(path, ok('store-disk', text));
  return about(path, warning('store-disk', text, 'make room, or keep fewer base backups: basebackup_count, basebackup_age_days_max'));
}

function judgeSharedDisk(store: DiskFacts, data: DiskFacts): Finding[] {
  if (store.device !== data.device) return [];
  return [
    note(
      'shared-disk',
      `the backups in ${store.path} are on the same disk as the database: what takes one takes both`,
      '"object_storage" on another disk, or better on another machine',
    ),
  ];
}
