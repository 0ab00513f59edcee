import assert from 'node:assert/strict';
import { OperatorError } from '../../lib/errors.ts';
import type { BaseBackupArchive, BaseBackupHandler, WalPosition } from '../../postgres/base-backup.ts';
import { FileLedger } from '../../postgres/file-ledger.ts';
import type { TarMember } from '../../tar/header.ts';
import type { FileOwner } from '../seal-control.job.ts';
import type { Tablespace } from '../walk.ts';
import type { ChunkWriter } from './chunk-writer.ts';
import { archivePlace } from './member-places.ts';
import { type HeldMember, ServerArchive } from './server-archive.ts';
import { type BackupExtent, ServerManifest } from './server-manifest.ts';

/** The server sends the ends of its archives since. */
const archiveEndsSince = 150_000;

export interface ReceiverOptions {
  readonly serverVersion: number;
  /** By OID. */
  readonly tablespaceNames: ReadonlyMap<number, string>;
  /** The server has made its checkpoint, and is about to send these. */
  readonly begin: (archives: readonly BaseBackupArchive[]) => ChunkWriter;
  /** Takes the server's manifest, byte for byte. */
  readonly keepManifest: (bytes: Uint8Array) => void;
  readonly onFile: () => void;
  readonly onWarning: (text: string) => void;
}

/** What a base backup consists of beside its chunks. */
export interface ReceivedParts {
  readonly start: WalPosition;
  readonly backupLabel: string;
  readonly controlFile: Uint8Array;
  readonly tablespaces: readonly Tablespace[];
  /** Kept without their contents. */
  readonly directories: readonly TarMember[];
  readonly owner: FileOwner;
  /** How many. */
  readonly chunks: number;
}

/** Takes a base backup apart as it comes: into chunks, what belongs into the main object, and a ledger that the server's manifest is compared with. */
export class BackupReceiver implements BaseBackupHandler {
  readonly #options: ReceiverOptions;
  readonly #ledger = new FileLedger();
  readonly #tablespaces: Tablespace[] = [];
  readonly #directories: TarMember[] = [];
  #start: WalPosition | undefined;
  #chunks: ChunkWriter | undefined;
  #label: HeldMember | undefined;
  #controlFile: HeldMember | undefined;
  #archive: ServerArchive | undefined;
  #manifest: ServerManifest | undefined;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  begin(start: WalPosition, archives: readonly BaseBackupArchive[]): void {
    this.#start = start;
    this.#chunks = this.#options.begin(archives);
  }

  async archive(archive: BaseBackupArchive): Promise<void> {
    await this.#endArchive();
    const place = archivePlace(archive, this.#options.tablespaceNames);
    if (place.tablespace) this.#tablespaces.push(place.tablespace);
    assert(this.#chunks, 'a base backup begins before its first archive');
    const { onFile } = this.#options;
    this.#archive = new ServerArchive(place, { chunks: this.#chunks, ledger: this.#ledger, onHeld: this.#hold, onFile });
  }

  async manifest(): Promise<void> {
    await this.#endArchive();
    await this.#chunks?.finish();
    this.#manifest = new ServerManifest(this.#ledger);
  }

  data(bytes: Buffer): void | Promise<void> {
    if (this.#manifest === undefined) return this.#archive?.update(bytes);
    this.#options.keepManifest(bytes);
    return this.#manifest.update(bytes);
  }

  warning(text: string): void {
    this.#options.onWarning(text);
  }

  /** Compares what came with the server's manifest. */
  finish(extent: Omit<BackupExtent, 'start'>): ReceivedParts {
    if (this.#label === undefined || this.#start === undefined) throw missing('backup_label');
    if (this.#controlFile === undefined) throw missing('global/pg_control');
    this.#manifest?.finish({ ...extent, start: this.#start });
    const { uid, gid, mtime } = this.#label.member;
    return {
      start: this.#start,
      backupLabel: this.#label.content.toString(),
      controlFile: this.#controlFile.content,
      tablespaces: this.#tablespaces,
      directories: this.#directories,
      owner: { uid, gid, mtime },
      chunks: this.#chunks?.chunks ?? 0,
    };
  }

  async #endArchive(): Promise<void> {
    await this.#archive?.finish(this.#options.serverVersion >= archiveEndsSince);
    this.#archive = undefined;
  }

  readonly #hold = (held: HeldMember): void => {
    if (held.to === 'label') this.#label = held;
    else if (held.to === 'control-file') this.#controlFile = held;
    else this.#directories.push({ ...held.member, path: `pgdata/${held.member.path}` });
  };
}

function missing(path: string): OperatorError {
  return new OperatorError('backup-incomplete', `the base backup that the server sent has no ${path}`, { retryable: true });
}
