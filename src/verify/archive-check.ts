import type { BackupFormat } from '../catalog/backup-format.ts';
import { manifestMember } from '../catalog/manifest-stream.ts';
import { memberPlace, tarUnsafe } from '../catalog/member-place.ts';
import { OperatorError } from '../lib/errors.ts';
import { type BackupLabel, parseBackupLabel } from '../postgres/backup-label.ts';
import { type ControlFile, parseControlFile } from '../postgres/control-file.ts';
import type { Lsn } from '../postgres/lsn.ts';
import type { TarMember } from '../tar/header.ts';
import type { TarHandler } from '../tar/reader.ts';
import { NameSum, type Names } from './name-sum.ts';
import { PageScan } from './page-scan.ts';
import { ServerManifestCheck } from './server-manifest-check.ts';

export interface ArchiveCheckOptions {
  readonly format: BackupFormat;
  /** Names of the tablespaces of the backup. */
  readonly tablespaces: readonly string[];
  /** From where on the WAL repairs pages; undefined: pages have no checksums, or are not looked at. */
  readonly startLsn: Lsn | undefined;
  /** Gets the bytes of the manifest. */
  readonly onManifest?: ((bytes: Uint8Array) => void) | undefined;
}

/** What a whole backup has in one of its archives. */
export interface ArchivedControl {
  readonly control: ControlFile | undefined;
  readonly label: BackupLabel | undefined;
}

const keptBytesMax = 1024 * 1024;
const controlFile = 'global/pg_control';
const labelFile = 'backup_label';
const serverManifest = 'backup_manifest';

/** Looks at the members of an archive of a base backup as they come by: where they would go, their pages, what the cluster and PostgreSQL say of themselves. */
export class ArchiveCheck implements TarHandler {
  readonly #options: ArchiveCheckOptions;
  readonly #names = new NameSum();
  readonly #fileNames = new NameSum();
  readonly #pages: PageScan | undefined;
  readonly #kept = new Map<string, Buffer[]>();
  readonly #serverManifest: ServerManifestCheck | undefined;
  #sink: ((bytes: Uint8Array) => void) | undefined;
  #end: (() => void) | undefined;
  #files = 0;

  constructor(options: ArchiveCheckOptions) {
    this.#options = options;
    this.#pages = options.startLsn === undefined ? undefined : new PageScan(options.startLsn);
    // Of the other formats the parts are compared with our own manifest.
    this.#serverManifest = options.format === 'raw' ? new ServerManifestCheck() : undefined;
  }

  get files(): number {
    return this.#files;
  }

  /** Of all members. */
  get names(): Names {
    return this.#names.names;
  }

  /** Of members that are files. */
  get fileNames(): Names {
    return this.#fileNames.names;
  }

  /** Some of each file. */
  get damagedPages(): readonly string[] {
    return this.#pages?.damaged ?? [];
  }

  /** What differs from the list of files that the server itself has sent. */
  get differences(): readonly string[] {
    return this.#serverManifest?.differences() ?? [];
  }

  /** Throws where what there is of them cannot be used. */
  control(): ArchivedControl {
    const controlBytes = this.#kept.get(controlFile);
    const labelBytes = this.#kept.get(labelFile);
    return {
      control: controlBytes && parseControlFile(Buffer.concat(controlBytes)),
      // The time in it is for people, and may be in a zone that nobody knows.
      label: labelBytes && parseBackupLabel(Buffer.concat(labelBytes).toString('utf8'), { startTimeFallback: new Date(0) }),
    };
  }

  member(member: TarMember): void {
    const { format, tablespaces, onManifest } = this.#options;
    this.#sink = undefined;
    this.#end = undefined;
    this.#names.add(member.path);
    if (member.type === 'file') this.#fileNames.add(member.path);
    if (member.path === manifestMember && format !== 'raw') {
      this.#sink = onManifest;
      return;
    }
    const place = memberPlace(member.path, { format, tablespaces });
    if (place === undefined || member.type !== 'file') return;
    this.#files++;
    this.#take(member, place.tablespace === undefined ? place.relative : undefined);
  }

  data(bytes: Uint8Array): void {
    this.#sink?.(bytes);
  }

  end(): void {
    this.#end?.();
  }

  /** `relative`: below the data directory. */
  #take(member: TarMember, relative: string | undefined): void {
    if (relative === controlFile || relative === labelFile) return this.#keep(member, relative);
    const listed = relative === undefined ? undefined : this.#serverManifest;
    if (listed !== undefined && relative === serverManifest) {
      this.#sink = (bytes) => listed.manifest(bytes);
      this.#end = () => listed.endManifest();
      return;
    }
    const pages = this.#pages;
    pages?.beginFile(relative ?? member.path);
    listed?.beginFile(relative as string, member.size);
    this.#sink = (bytes) => {
      pages?.update(bytes);
      listed?.update(bytes);
    };
    this.#end = () => listed?.endFile();
  }

  #keep(member: TarMember, relative: string): void {
    if (member.size > keptBytesMax) throw tarUnsafe(member.path, 'it is too long for what it should be');
    if (this.#kept.has(relative)) throw new OperatorError('tar-corrupt', `the archive is damaged: it has ${member.path} twice`);
    const pieces: Buffer[] = [];
    this.#kept.set(relative, pieces);
    const listed = this.#serverManifest;
    listed?.beginFile(relative, member.size);
    this.#sink = (bytes) => {
      pieces.push(Buffer.from(bytes));
      listed?.update(bytes);
    };
    this.#end = () => listed?.endFile();
  }
}
