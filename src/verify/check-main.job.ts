import type { BackupFormat } from '../catalog/backup-format.ts';
import { type Manifest, parseManifest } from '../catalog/manifest.ts';
import { ManifestCondenser } from '../catalog/manifest-condenser.ts';
import { manifestInvalid } from '../catalog/manifest-stream.ts';
import { readStoredObject, type StoredObject } from '../catalog/stored-object.ts';
import { defineJob } from '../codec/job.ts';
import type { BackupLabel } from '../postgres/backup-label.ts';
import type { ControlFile } from '../postgres/control-file.ts';
import type { Lsn } from '../postgres/lsn.ts';
import { TarReader } from '../tar/reader.ts';
import { ArchiveCheck } from './archive-check.ts';
import { NameSum } from './name-sum.ts';

export interface CheckMainInput {
  readonly object: StoredObject;
  readonly format: BackupFormat;
  readonly tablespaces: readonly string[];
  /** From where on the WAL repairs pages, as far as it is known before the label is read. */
  readonly startLsn: Lsn | undefined;
}

export interface CheckedMain {
  readonly storedBytes: number;
  readonly files: number;
  /** Of a backup in several objects, with the names in each of them as {@link NameSum}. */
  readonly manifest: Manifest | undefined;
  readonly control: ControlFile | undefined;
  readonly label: BackupLabel | undefined;
  readonly damagedPages: readonly string[];
  /** From the list of files that PostgreSQL made. */
  readonly differences: readonly string[];
}

/** Reads the main object of a base backup, which of some formats is all of it, to its end. Rejects as `checkArchive`, with `manifest-invalid`, and for the control file and the label. */
export const checkMain = defineJob(
  import.meta.url,
  'checkMain',
  async ({ object, ...options }: CheckMainInput, { signal, report }): Promise<CheckedMain> => {
    const hasManifest = options.format === 'pghoard-bb-v2' || options.format === 'pghoard-delta';
    const condenser = hasManifest ? new ManifestCondenser(() => new NameSum()) : undefined;
    let isThere = false;
    const onManifest = (bytes: Uint8Array) => {
      isThere = true;
      condenser?.update(bytes);
    };
    const check = new ArchiveCheck({ ...options, onManifest });
    const reader = new TarReader(check);
    const { sealedBytes } = await readStoredObject(object, (bytes) => reader.update(bytes), { signal, onStoredBytes: report });
    reader.finish();
    if (condenser && !isThere) throw manifestInvalid('there is none in it');
    const manifest = condenser && parseManifest(condenser.finish());
    const { damagedPages, differences, files } = check;
    return { storedBytes: sealedBytes, files, manifest, ...check.control(), damagedPages, differences };
  },
);
