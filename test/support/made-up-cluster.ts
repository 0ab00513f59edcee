import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { archiveInChunks } from '../../src/basebackup/chunked-archive.ts';
import type { ClusterSource } from '../../src/basebackup/cluster-source.ts';
import { archiveAsDelta } from '../../src/basebackup/delta-archive.ts';
import type { BasebackupJob, RunningBackup } from '../../src/basebackup/job.ts';
import type { MainObject } from '../../src/basebackup/main-object.ts';
import { ProgressCount } from '../../src/basebackup/progress.ts';
import { describeRawBackup } from '../../src/basebackup/raw-backup.ts';
import { sealOptionsOf } from '../../src/basebackup/seal-options.ts';
import { sealStream } from '../../src/basebackup/seal-raw.job.ts';
import { BackupSession } from '../../src/basebackup/session.ts';
import { archiveAsSingleObject } from '../../src/basebackup/single-archive.ts';
import { findEmptiedDirectories, type Tablespace } from '../../src/basebackup/walk.ts';
import { DigestSet } from '../../src/lib/digest-set.ts';
import type { PgConnection } from '../../src/postgres/client.ts';
import { defaultSegmentBytes } from '../../src/postgres/wal-name.ts';
import { sourceOfFile } from '../../src/storage/object-source.ts';
import type { BackupBench } from './backup-bench.ts';
import { backupLabel, controlFileBytes } from './test-backups.ts';

/** What base backups are stored as. `raw`: the tar of pg_basebackup, which the modes `basic` and `pipe` keep as it is. */
export type StoredFormat = 'pghoard-bb-v1' | 'pghoard-bb-v2' | 'pghoard-delta-v2' | 'raw';

const archives = {
  'pghoard-bb-v1': archiveAsSingleObject,
  'pghoard-bb-v2': archiveInChunks,
  'pghoard-delta-v2': archiveAsDelta,
};

/** As PostgreSQL 15 names it. */
export const tablespaceVersionDirectory = 'PG_15_202209061';

/** A data directory that no PostgreSQL made or reads, so that it can hold anything, and that our own code takes base backups of. */
export class MadeUpCluster {
  readonly dataDirectory: string;
  readonly tablespaces: readonly Tablespace[];
  readonly #directory: string;

  private constructor(directory: string, tablespaces: readonly Tablespace[]) {
    this.#directory = directory;
    this.dataDirectory = join(directory, 'data');
    this.tablespaces = tablespaces;
  }

  /** In `directory`, with empty tablespaces of these names beside the data directory. */
  static async create(directory: string, tablespaceNames: readonly string[] = []): Promise<MadeUpCluster> {
    const tablespaces = tablespaceNames.map((name, i) => ({ name, oid: 16_384 + i, path: join(directory, `tablespace ${i}`) }));
    const cluster = new MadeUpCluster(directory, tablespaces);
    const { dataDirectory } = cluster;
    for (const path of ['', 'base', 'base/1', 'global', 'pg_tblspc', 'pg_wal', 'pg_wal/archive_status', 'pg_xact']) {
      await mkdir(join(dataDirectory, path), { mode: 0o700 });
    }
    for (const { path } of tablespaces) await mkdir(join(path, tablespaceVersionDirectory), { recursive: true, mode: 0o700 });
    await writeFile(join(dataDirectory, 'PG_VERSION'), '15\n', { mode: 0o600 });
    await writeFile(join(dataDirectory, 'postgresql.auto.conf'), '# Do not edit\n', { mode: 0o600 });
    await writeFile(join(dataDirectory, 'base/1/1259'), Buffer.alloc(16_384, 7), { mode: 0o600 });
    await writeFile(join(dataDirectory, 'global/pg_control'), controlFileBytes(), { mode: 0o600 });
    // pg_basebackup takes it from the server, and sends it first.
    await writeFile(join(directory, 'backup_label'), backupLabel, { mode: 0o600 });
    return cluster;
  }

  /** Stores a base backup under `name`, as the mode that makes this format does. Its last object makes it visible. */
  async backUp(bench: BackupBench, name: string, format: StoredFormat, changes: Partial<BasebackupJob> = {}): Promise<void> {
    const { deps } = bench;
    const mode = format === 'raw' ? 'pipe' : format === 'pghoard-delta-v2' ? 'delta' : 'local-tar';
    const { dataDirectory } = this;
    const job = bench.job({ dsn: 'host=127.0.0.1', dataDirectory, bin: '/nowhere' }, { mode, ...changes });
    const directory = deps.spool.basebackupDirectory(name);
    await mkdir(directory);
    const backup = { job, deps, name, directory, signal: new AbortController().signal, newDeltaFiles: new DigestSet() };
    const main = format === 'raw' ? await this.#archiveRaw(backup) : await this.#archiveFiles(backup, archives[format]);
    await deps.catalog.store.put(main.key, sourceOfFile(main.path, main.storedBytes), { metadata: main.metadata });
    await rm(directory, { recursive: true });
  }

  async #archiveFiles(backup: RunningBackup, archive: typeof archiveInChunks): Promise<MainObject> {
    const { dataDirectory, tablespaces } = this;
    const { uid, gid } = await stat(dataDirectory);
    const source: ClusterSource = {
      dataDirectory,
      cluster: { what: 'a made-up cluster' },
      serverVersion: connection.serverVersion,
      major: '15',
      tablespaces,
      directories: await findEmptiedDirectories(dataDirectory),
      owner: { uid, gid, mtime: 1_700_000_000 },
      bytesTotal: undefined,
    };
    return archive(backup, source, await BackupSession.begin(connection, backup.signal), new ProgressCount(undefined));
  }

  /** GNU tar in the place of pg_basebackup: the label first, then everything, also names that pg_basebackup's tar cannot hold. */
  async #archiveRaw(backup: RunningBackup): Promise<MainObject> {
    const { job, deps, name, directory, signal } = backup;
    const names = await readdir(this.dataDirectory);
    const args = ['--create', '--format=posix', '--pax-option=delete=atime,delete=ctime', '--numeric-owner', '--sort=name', '--no-unquote'];
    const command = {
      file: 'tar',
      args: [...args, '-C', this.#directory, 'backup_label', '-C', this.dataDirectory, ...names],
      env: { LC_ALL: 'C.UTF-8' },
    };
    const path = join(directory, `${name}.tar`);
    const sealed = await deps.pool.run(sealStream, { command, target: path, seal: sealOptionsOf(job.seal) }, { signal });
    const plan = {
      command,
      cluster: { what: 'a made-up cluster' },
      segmentBytes: defaultSegmentBytes,
      serverVersion: connection.serverVersion,
      begunAt: deps.clock.now(),
    };
    return describeRawBackup(backup, plan, path, sealed);
  }
}

/** What a PostgreSQL 15 answers to the statements of a backup. */
const answers: readonly [said: RegExp, row: object][] = [
  [/pg_backup_start/, { lsn: '0/3000028' }],
  [/pg_backup_stop/, { labelfile: backupLabel }],
  [/pg_is_in_recovery/, { time: '2026-11-22T10:00:00.000Z', standby: false }],
  [/txid_current/, { time: '2026-11-22T10:00:05.000Z' }],
  [/pg_current_wal_insert_lsn/, { lsn: '0/3000200' }],
  [/has_function_privilege/, { may_switch: true }],
];

const connection: PgConnection = {
  serverVersion: 150_018,
  target: 'nobody',
  closed: false,
  query: async <Row extends object>(sql: string) =>
    answers
      .filter(([said]) => said.test(sql))
      .map(([, row]) => row as Row)
      .slice(0, 1),
  queryBytes: async () => [],
  onLost: () => {},
  takeOver: () => Promise.reject(new Error('nobody has no socket')),
  close: async () => {},
  [Symbol.asyncDispose]: async () => {},
};
