import type { BackupFormat } from '../catalog/backup-format.ts';
import { readStoredObject, type StoredObject } from '../catalog/stored-object.ts';
import { defineJob } from '../codec/job.ts';
import type { Lsn } from '../postgres/lsn.ts';
import { TarReader } from '../tar/reader.ts';
import { ArchiveCheck } from './archive-check.ts';
import type { Names } from './name-sum.ts';

export interface CheckArchiveInput {
  readonly object: StoredObject;
  readonly format: BackupFormat;
  readonly tablespaces: readonly string[];
  readonly startLsn: Lsn | undefined;
}

export interface CheckedArchive {
  readonly storedBytes: number;
  readonly files: number;
  /** Of all members, and of those that are files. */
  readonly names: Names;
  readonly fileNames: Names;
  /** Some of each file. */
  readonly damagedPages: readonly string[];
}

/** Reads a part of a base backup to its end. Rejects as `readStoredObject` and {@link TarReader} do, and with `tar-unsafe`. Reports stored bytes as they come. */
export const checkArchive = defineJob(
  import.meta.url,
  'checkArchive',
  async ({ object, ...options }: CheckArchiveInput, { signal, report }): Promise<CheckedArchive> => {
    const check = new ArchiveCheck(options);
    const reader = new TarReader(check);
    const { sealedBytes } = await readStoredObject(object, (bytes) => reader.update(bytes), { signal, onStoredBytes: report });
    reader.finish();
    const { files, names, fileNames, damagedPages } = check;
    return { storedBytes: sealedBytes, files, names, fileNames, damagedPages };
  },
);
