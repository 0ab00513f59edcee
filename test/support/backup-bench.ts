import { chmod, chown, copyFile, lchown, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BasebackupDeps, BasebackupJob, BasebackupProgress } from '../../src/basebackup/job.ts';
import { UsedNames } from '../../src/basebackup/used-names.ts';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { CodecPool } from '../../src/codec/pool.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { noMetrics } from '../../src/lib/metrics.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { parseConninfo } from '../../src/postgres/conninfo.ts';
import { MemoryStore } from '../../src/storage/memory/driver.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { Spool } from '../../src/transfer/spool.ts';
import { UploadQueue } from '../../src/transfer/upload-queue.ts';
import { entriesBelow } from './entries-below.ts';
import { systemUser, type TestPostgres } from './postgres.ts';
import type { ArchivedMember } from './sealed-archive.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts';

/** Everything that taking a base backup needs beside a server, without a daemon. */
export class BackupBench implements AsyncDisposable {
  readonly store: ObjectStore;
  readonly deps: BasebackupDeps;
  readonly progress: BasebackupProgress[] = [];
  readonly #scratch: TemporaryDirectory;
  readonly #pool: CodecPool;

  private constructor(scratch: TemporaryDirectory, store: ObjectStore, names: UsedNames) {
    this.#scratch = scratch;
    this.store = store;
    this.#pool = new CodecPool(2);
    this.deps = {
      catalog: new Catalog(store, new SiteKeys('site')),
      spool: new Spool(join(scratch.path, 'spool'), 'site'),
      names,
      uploads: new UploadQueue({
        threads: 3,
        log: silentLog,
        metrics: noMetrics,
        retry: { attemptsMax: Number.POSITIVE_INFINITY, delayMsFirst: 5, delayMsMax: 20 },
        warningLimit: 3,
        onTrouble: () => {},
        onRecovered: () => {},
      }),
      pool: this.#pool,
      metrics: noMetrics,
      log: silentLog,
      clock: systemClock,
      random: systemRandom,
      admit: async () => {},
      onProgress: (progress) => void this.progress.push(progress),
    };
  }

  static async open(store: ObjectStore = new MemoryStore()): Promise<BackupBench> {
    const scratch = await makeTemporaryDirectory();
    const names = await UsedNames.open({ site: 'site', file: join(scratch.path, 'names.json'), log: silentLog });
    const bench = new BackupBench(scratch, store, names);
    await bench.deps.spool.ensure();
    return bench;
  }

  /** A job for `postgres` with settings that make several chunks of a small cluster. */
  job(postgres: Pick<TestPostgres, 'dsn' | 'dataDirectory' | 'bin'>, changes: Partial<BasebackupJob> = {}): BasebackupJob {
    return {
      site: 'site',
      mode: 'local-tar',
      format: 'pghoard-bb-v2',
      nodes: [parseConninfo(postgres.dsn)],
      dataDirectory: postgres.dataDirectory,
      seal: { compression: { algorithm: 'snappy', level: 0 } },
      chunkBytesMax: 4 * 1024 * 1024,
      delta: { fileBytesMin: 64 * 1024, bundleBytesMax: 1024 * 1024 },
      chunksInProgress: 3,
      verifyPages: true,
      withWal: false,
      programs: { binDirectory: postgres.bin },
      origin: {
        decisionTime: new Date('2026-11-23T01:02:03Z'),
        reason: 'requested',
        activeMode: 'archive_command',
        host: 'bench',
        pghoardVersion: '3.0.0',
      },
      ...changes,
    };
  }

  async storedKeys(prefix = ''): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.store.list(prefix)) keys.push(key);
    return keys;
  }

  /** What lies in the spool directories of base backups. */
  async spooled(): Promise<string[]> {
    return (await entriesBelow(this.deps.spool.basebackupsIncomingDirectory)).map(({ name }) => name);
  }

  /** Path of an empty directory of its own. */
  async directory(name: string): Promise<string> {
    const path = join(this.#scratch.path, name);
    await mkdir(path);
    const { uid, gid } = systemUser();
    await chown(path, uid, gid);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.close();
    await this.#scratch[Symbol.asyncDispose]();
  }
}

/** Unpacks members of base backups below `target`: `data` for PGDATA, `tablespaces/<name>` for tablespaces; owned by PostgreSQL's user. */
export async function unpackMembers(members: readonly ArchivedMember[], target: string): Promise<void> {
  const { uid, gid } = systemUser();
  for (const { path, type, mode, content, linkTarget } of members) {
    const place = join(target, /^(pgdata|tablespaces)\//.test(path) ? path.replace(/^pgdata\//, 'data/') : `data/${path}`);
    await makeOwned(type === 'directory' ? place : dirname(place));
    if (type === 'file') await writeFile(place, content, { mode });
    if (type === 'symlink') await symlink(linkTarget ?? '', place);
    await lchown(place, uid, gid);
  }
}

async function makeOwned(directory: string): Promise<void> {
  const { uid, gid } = systemUser();
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let path = directory; path.length >= first.length; path = dirname(path)) {
    await chown(path, uid, gid);
    await chmod(path, 0o700);
  }
}

/** Gives a copy of the cluster the WAL of the original, so that it can recover without an archive. */
export async function copyWal(postgres: TestPostgres, dataDirectory: string): Promise<void> {
  const { uid, gid } = systemUser();
  await rm(join(dataDirectory, 'pg_wal'), { recursive: true, force: true });
  await makeOwned(join(dataDirectory, 'pg_wal'));
  for (const name of await readdir(join(postgres.dataDirectory, 'pg_wal'))) {
    if (!/^[0-9A-F]{24}$/.test(name)) continue;
    await copyFile(join(postgres.dataDirectory, 'pg_wal', name), join(dataDirectory, 'pg_wal', name));
    await chown(join(dataDirectory, 'pg_wal', name), uid, gid);
  }
}
