import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';
import { type Random, systemRandom } from '../lib/random.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { formatSidecar, parseSidecar } from '../storage/files/sidecar.ts';
import { sortedNames } from '../storage/local/sorted-names.ts';
import type { Metadata } from '../storage/object-store.ts';

/** What writers put behind a file's final name and random digits: ours, and those of the original. */
const temporaryNames = /(\.tmp|\.tmp-compress|\.metadata_tmp)$/;

export interface PendingWal {
  readonly name: string;
  readonly path: string;
  readonly metadata: Metadata;
}

/** A pair whose metadata cannot be read; its bytes are left where they are. */
export interface BrokenPair {
  readonly path: string;
  readonly error: OperatorError;
}

/** Where sealed files of one site wait for their upload: `backup_location/PREFIX`, laid out as the original's. One daemon uses it at a time. */
export class Spool {
  readonly directory: string;
  readonly #random: Random;

  constructor(backupLocation: string, prefix: string, random: Random = systemRandom) {
    this.directory = join(backupLocation, prefix);
    this.#random = random;
  }

  get walDirectory(): string {
    return join(this.directory, 'xlog');
  }

  get historyDirectory(): string {
    return join(this.directory, 'timeline');
  }

  /** Raw files of a WAL receiver. */
  get walIncomingDirectory(): string {
    return join(this.directory, 'xlog_incoming');
  }

  /** Sealed base backups of one object. */
  get basebackupsDirectory(): string {
    return join(this.directory, 'basebackup');
  }

  get basebackupsIncomingDirectory(): string {
    return join(this.directory, 'basebackup_incoming');
  }

  /** Ours: WAL fetched ahead of a restore. Everything in it can be fetched again. */
  get prefetchDirectory(): string {
    return join(this.directory, 'xlog_prefetch');
  }

  /** Ours: which cluster the site is for, as the store said. */
  get identityFile(): string {
    return join(this.directory, 'identity.json');
  }

  /** Ours: the base backup that somebody asked for. */
  get requestedBasebackupFile(): string {
    return join(this.directory, 'requested_basebackup.json');
  }

  /** Ours: the names that base backups have had. */
  get basebackupNamesFile(): string {
    return join(this.directory, 'basebackup_names.json');
  }

  /** Ours: the hashes of the files that the last `local-tar-delta-stats` backup had. */
  get deltaHashesFile(): string {
    return join(this.directory, 'delta_hashes');
  }

  walFile(name: string): string {
    return join(this.walDirectory, name);
  }

  historyFile(name: string): string {
    return join(this.historyDirectory, name);
  }

  basebackupFile(name: string): string {
    return join(this.basebackupsDirectory, name);
  }

  /** For raw and sealed parts of a backup being taken; not made by {@link ensure}. */
  basebackupDirectory(name: string): string {
    return join(this.basebackupsIncomingDirectory, name);
  }

  /** A name beside `path` for what is not finished; {@link removeDebris} knows it again. */
  temporaryFor(path: string): string {
    return `${path}.${this.#random.hex(6)}.tmp`;
  }

  /** Makes its directories. Rejects with `spool-unusable`. */
  async ensure(): Promise<void> {
    for (const directory of this.#directories()) {
      try {
        await mkdir(directory, { recursive: true, mode: 0o700 });
      } catch (cause) {
        throw unusable(`cannot make the spool directory ${directory}`, cause);
      }
    }
  }

  /**
   * Makes a finished, fsynced file and its metadata a pair that survives a crash: {@link pendingWal} finds it from now on. Both names are made
   * durable by one fsync of their directory; until then a crash may leave either alone, and neither means anything without the other.
   */
  async publish(temporary: string, path: string, metadata: Metadata): Promise<void> {
    await rename(temporary, path);
    await writeFileAtomic(metadataFileOf(path), formatSidecar(metadata));
  }

  /**
   * Removes a pair that is stored. Metadata goes last: alone it means nothing. Not made durable: what a power cut brings back is compared with
   * what is stored, and removed again.
   */
  async remove(path: string): Promise<void> {
    await rm(path, { force: true });
    await rm(metadataFileOf(path), { force: true });
  }

  /** Complete pairs that a crash has left, segments before history files, each in ascending order. */
  async *pendingWal(onBroken: (pair: BrokenPair) => void = () => {}): AsyncGenerator<PendingWal> {
    for (const directory of [this.walDirectory, this.historyDirectory]) {
      for await (const { name } of sortedNames(directory, { wanted: (entry) => classifyWalFile(entry) !== undefined })) {
        const path = join(directory, name);
        try {
          const metadata = await readMetadata(path);
          if (metadata) yield { name, path, metadata };
        } catch (error) {
          if (!(error instanceof OperatorError)) throw error;
          onBroken({ path, error });
        }
      }
    }
  }

  /**
   * Removes what a dead process has left unfinished: temporary files, metadata without a file, fetched WAL, parts of base backups.
   * Call it once at start, before anything writes here. Sealed files without metadata stay: they may be the only copy. So do the directories of
   * unfinished base backups, emptied: they are the only sign of the chunks that the store already has of them. Rejects with `spool-unusable`.
   */
  async removeDebris(): Promise<void> {
    try {
      for (const directory of [this.directory, this.walDirectory, this.historyDirectory, this.basebackupsDirectory])
        await removeUnfinished(directory);
      await removeContents(this.prefetchDirectory);
      await emptyDirectories(this.basebackupsIncomingDirectory);
    } catch (cause) {
      throw unusable(`cannot clear the spool directory ${this.directory}`, cause);
    }
  }

  #directories(): readonly string[] {
    const ours = [this.walDirectory, this.historyDirectory, this.prefetchDirectory, this.walIncomingDirectory];
    return [...ours, this.basebackupsDirectory, this.basebackupsIncomingDirectory];
  }
}

function unusable(message: string, cause: unknown): OperatorError {
  return new OperatorError('spool-unusable', message, {
    cause,
    hint: 'Check "backup_location": it must be on a disk with room, and belong to the user who runs pghoard.',
  });
}

function metadataFileOf(path: string): string {
  return `${path}.metadata`;
}

/** `undefined` where there is none: the pair was never complete. */
async function readMetadata(path: string): Promise<Metadata | undefined> {
  try {
    return parseSidecar(await readFile(metadataFileOf(path), 'utf8'));
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return undefined;
    throw new OperatorError('spool-damaged', `cannot read ${metadataFileOf(path)}, so ${path} cannot be stored`, {
      cause,
      hint: 'If the segment is still in pg_wal, remove both files: it will be archived again.',
    });
  }
}

async function removeUnfinished(directory: string): Promise<void> {
  for await (const { name } of sortedNames(directory, { wanted: () => true })) {
    const path = join(directory, name);
    const isLone = name.endsWith('.metadata') && !(await exists(path.slice(0, -'.metadata'.length)));
    if (isLone || temporaryNames.test(name)) await rm(path, { force: true });
  }
}

async function removeContents(directory: string): Promise<void> {
  for await (const { name } of sortedNames(directory, { wanted: () => true })) {
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** Removes everything below the directories in `directory`, and the files beside them. */
async function emptyDirectories(directory: string): Promise<void> {
  for await (const { name, isDirectory } of sortedNames(directory, { wanted: () => true })) {
    const path = join(directory, name);
    if (isDirectory) await removeContents(path);
    else await rm(path, { force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
