import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fsyncDirectory, writeFileAtomic } from '../lib/atomic-file.ts';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import { parseControlFile } from '../postgres/control-file.ts';
import type { SeenCluster } from '../postgres/seen-cluster.ts';
import { parseVersionNumber } from '../postgres/versions.ts';
import { controlFile, heldControlFile } from './layout.ts';
import type { ExistingSettings, RecoveryFiles } from './recovery-settings.ts';
import type { Owner } from './settle-tree.job.ts';
import { writingLater } from './write-error.ts';

/** Settings files longer than this are not settings files. */
const settingsBytesMax = 1024 * 1024;
/** Directories that chunked backups hold for every version of PostgreSQL, each of which needs only some. */
const strayDirectories = {
  from10: ['pg_xlog/archive_status', 'pg_xlog', 'pg_log', 'pg_snapshot'],
  before10: ['pg_wal/archive_status', 'pg_wal', 'pg_snapshot'],
};

/** A data directory whose files are all there, but which PostgreSQL cannot start on yet. */
export class RestoredDirectory {
  readonly path: string;
  /** As from parseVersionNumber. */
  readonly version: number;
  /** As far as its control file can be read. */
  readonly cluster: SeenCluster;

  private constructor(path: string, version: number, cluster: SeenCluster) {
    this.path = path;
    this.version = version;
    this.cluster = cluster;
  }

  /** Throws `basebackup-incomplete` where something is missing without which PostgreSQL does not start, or starts wrongly. */
  static inspect(path: string): RestoredDirectory {
    for (const name of ['PG_VERSION', 'backup_label', heldControlFile]) {
      if (lstatSync(join(path, name), { throwIfNoEntry: false })?.isFile()) continue;
      throw incomplete(`it holds no ${name === heldControlFile ? controlFile : name}`);
    }
    const version = parseVersionNumber(readFileSync(join(path, 'PG_VERSION'), 'utf8').trim());
    return new RestoredDirectory(path, version, readControlFile(join(path, heldControlFile)));
  }

  /** Of the files that came from the source with one; undefined where all belong to root. */
  owner(): Owner | undefined {
    for (const name of ['PG_VERSION', 'base', 'global', '.']) {
      const there = lstatSync(join(this.path, name), { throwIfNoEntry: false });
      if (there && there.uid !== 0) return { uid: there.uid, gid: there.gid };
    }
    return this.#ownerIn('global');
  }

  /** User id of the data directory, where this machine has no such user. Other ways than /etc/passwd to have users are given the benefit of the doubt. */
  unknownOwner(): number | undefined {
    const { uid } = lstatSync(this.path);
    const users = existsSync('/etc/passwd') && !existsSync('/etc/sssd') ? readFileSync('/etc/passwd', 'utf8') : '';
    return users === '' || new RegExp(`^[^:]*:[^:]*:${uid}:`, 'm').test(users) ? undefined : uid;
  }

  /** Removes empty directories that this version of PostgreSQL does not know. */
  removeStrayDirectories(): void {
    for (const name of this.version >= 100_000 ? strayDirectories.from10 : strayDirectories.before10) {
      try {
        rmdirSync(join(this.path, name));
      } catch {
        // Not there or in use: either is fine.
      }
    }
  }

  /** Lets the group read, where the cluster was made for that (initdb --allow-group-access). */
  adoptGroupAccess(): void {
    const base = lstatSync(join(this.path, 'base'), { throwIfNoEntry: false });
    if (base && (base.mode & 0o050) === 0o050) chmodSync(this.path, 0o750);
  }

  settings(): ExistingSettings {
    return { autoConf: this.#readSettings('postgresql.auto.conf'), postgresqlConf: this.#readSettings('postgresql.conf') };
  }

  get hasPostgresqlConf(): boolean {
    return lstatSync(join(this.path, 'postgresql.conf'), { throwIfNoEntry: false }) !== undefined;
  }

  async writeRecoveryFiles({ settingsFile, settingsText, signalFile }: RecoveryFiles): Promise<void> {
    await writingLater(this.path, async () => {
      // Of a restore that was stopped.
      for (const name of ['recovery.signal', 'standby.signal']) await rm(join(this.path, name), { force: true });
      await writeFileAtomic(join(this.path, settingsFile), settingsText, { mode: 0o600 });
      if (signalFile !== undefined) await writeFile(join(this.path, signalFile), '', { mode: 0o600, flag: 'wx' });
    });
  }

  async writeSecret(name: string, text: string): Promise<void> {
    await writingLater(this.path, () => writeFileAtomic(join(this.path, name), text, { mode: 0o600 }));
  }

  /** The last step: everything else must be durable by now. From here on PostgreSQL can start. */
  async putControlFileInPlace(): Promise<void> {
    await writingLater(join(this.path, controlFile), async () => {
      await rename(join(this.path, heldControlFile), join(this.path, controlFile));
      await fsyncDirectory(join(this.path, 'global'));
    });
  }

  /** The original's delta backups know the owners of bundled files only. */
  #ownerIn(directory: string): Owner | undefined {
    for (const name of readdirSync(join(this.path, directory))) {
      const { uid, gid } = lstatSync(join(this.path, directory, name));
      if (uid !== 0) return { uid, gid };
    }
    return undefined;
  }

  /** Links are not followed: they lead out of the backup. */
  #readSettings(name: string): string {
    const path = join(this.path, name);
    const there = lstatSync(path, { throwIfNoEntry: false });
    return there?.isFile() && there.size <= settingsBytesMax ? readFileSync(path, 'utf8') : '';
  }
}

/** Versions that we do not know yet or any more are for PostgreSQL to judge. */
function readControlFile(path: string): SeenCluster {
  try {
    const { systemIdentifier, segmentBytes } = parseControlFile(readFileSync(path));
    return { systemIdentifier, segmentBytes };
  } catch (error) {
    if (!isOperatorError(error, 'control-file-unsupported')) throw error;
    return {};
  }
}

function incomplete(why: string): OperatorError {
  return new OperatorError('basebackup-incomplete', `PostgreSQL could not start from this base backup: ${why}`, {
    hint: 'Restore another base backup.',
  });
}
