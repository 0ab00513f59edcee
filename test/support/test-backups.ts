import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import type { CompressionAlgorithm } from '../../src/codec/codec-options.ts';
import { Sealer } from '../../src/codec/seal.ts';
import { openStore } from '../../src/storage/drivers.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import type { Metadata, ObjectStore } from '../../src/storage/object-store.ts';
import type { StorageOptions } from '../../src/storage/options.ts';
import { encodeTarHeader, type TarMember, tarEnd, tarPaddingOf } from '../../src/tar/header.ts';

/** A member to be put into an archive; what is left out is as for an ordinary file. */
export type TestMember = Partial<Omit<TarMember, 'size'>> & { readonly path: string; readonly content?: string | Uint8Array };

export interface TestSealing {
  readonly compression?: CompressionAlgorithm;
  readonly key?: { readonly id: string; readonly publicKey: string };
}

export interface ChunkedBackup extends TestSealing {
  readonly name?: string;
  readonly chunks: readonly (readonly TestMember[])[];
  /** Of the control archive, behind the manifest; by default what our own writer puts there. */
  readonly control?: readonly TestMember[];
  readonly tablespaces?: Readonly<Record<string, { readonly oid: number; readonly path: string }>>;
  readonly metadata?: Metadata;
}

export interface SingleBackup extends TestSealing {
  readonly name?: string;
  readonly members: readonly TestMember[];
  readonly metadata?: Metadata;
}

const defaultName = '2026-11-22_10-00_0';

export const backupLabel = `START WAL LOCATION: 0/3000028 (file 000000010000000000000003)
CHECKPOINT LOCATION: 0/3000060
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2026-11-22 10:00:00 UTC
LABEL: pghoard_base_backup
START TIMELINE: 1
`;

/** Base backups of made-up clusters in a local store. */
export class TestBackups {
  readonly storage: StorageOptions;
  readonly store: ObjectStore;
  readonly keys: SiteKeys;
  readonly site = 'main';
  readonly #directory: string;

  private constructor(directory: string, storage: StorageOptions, store: ObjectStore) {
    this.#directory = directory;
    this.storage = storage;
    this.store = store;
    this.keys = new SiteKeys(this.site);
  }

  /** Keeps everything below `directory`. */
  static async open(directory: string): Promise<TestBackups> {
    const storage = { storage_type: 'local', directory: join(directory, 'store') } as StorageOptions;
    return new TestBackups(directory, storage, await openStore(storage));
  }

  get catalog(): Catalog {
    return new Catalog(this.store, this.keys);
  }

  /** A raw tar as of pg_basebackup, or `pghoard-bb-v1` where `metadata` says so. Returns its key. */
  async addSingle({ name = defaultName, members, metadata = {}, ...sealing }: SingleBackup): Promise<string> {
    const key = this.keys.basebackup(name);
    await this.putArchive(key, members, sealing, { ...commonMetadata, ...metadata });
    return key;
  }

  /** `pghoard-bb-v2`. Returns the keys of the main object and of the chunks. */
  async addChunked(backup: ChunkedBackup): Promise<[main: string, ...chunks: string[]]> {
    const { name = defaultName, control = controlMembers, tablespaces = {}, metadata = {}, chunks, ...sealing } = backup;
    const manifestChunks: object[] = [];
    const keys: string[] = [];
    for (const [index, members] of chunks.entries()) {
      const key = this.keys.chunk(name, index + 1);
      const { plainBytes, storedBytes, storedSha256 } = await this.putArchive(key, members, sealing, { format: 'pghoard-bb-v2' });
      keys.push(key);
      manifestChunks.push({
        chunk_filename: key.slice(this.keys.chunksPrefix.length),
        input_size: plainBytes,
        result_size: storedBytes,
        result_sha256: storedSha256,
        files: members.map(({ path }) => path),
      });
    }
    const manifest = { pgdata: '/source/pgdata', pghoard_object: 'basebackup', tablespaces, chunks: manifestChunks };
    const main = this.keys.basebackupMain(name);
    const members = [{ path: '.pghoard_tar_metadata.json', content: JSON.stringify(manifest) }, ...control];
    await this.putArchive(main, members, sealing, { ...commonMetadata, format: 'pghoard-bb-v2', ...metadata });
    return [main, ...keys];
  }

  async putArchive(
    key: string,
    members: readonly TestMember[],
    sealing: TestSealing,
    metadata: Metadata,
  ): Promise<{ plainBytes: number; storedBytes: number; storedSha256: string }> {
    return this.putTar(key, tarOf(members), sealing, metadata);
  }

  /** Seals and stores an archive as a part of a backup. */
  async putTar(
    key: string,
    tar: Uint8Array,
    { compression = 'snappy', key: encryption }: TestSealing,
    metadata: Metadata,
  ): Promise<{ plainBytes: number; storedBytes: number; storedSha256: string }> {
    const parts: Buffer[] = [];
    const options = { compression: { algorithm: compression, level: 0 }, ...(encryption && { publicKey: encryption.publicKey }) };
    using sealer = new Sealer(options, (bytes) => void parts.push(Buffer.from(bytes)));
    await sealer.update(tar);
    const { plainBytes } = await sealer.finish();
    const stored = Buffer.concat(parts);
    await this.store.put(key, sourceOfBytes(stored), {
      metadata: {
        'compression-algorithm': compression,
        'original-file-size': String(plainBytes),
        ...(encryption && { 'encryption-key-id': encryption.id }),
        ...metadata,
      },
    });
    return { plainBytes, storedBytes: stored.length, storedSha256: createHash('sha256').update(stored).digest('hex') };
  }

  /** Where the bytes of an object lie, to damage them. */
  fileOf(key: string): string {
    return join(this.#directory, 'store', key);
  }

  /** Writes a configuration for our commands and returns its path. */
  async writeConfig(site: object = {}, global: object = {}): Promise<string> {
    const path = join(this.#directory, 'pghoard.json');
    const sites = { [this.site]: { active: false, object_storage: this.storage, ...site } };
    await writeFile(path, JSON.stringify({ restore_process_count: 2, backup_sites: sites, ...global }));
    return path;
  }
}

const commonMetadata: Metadata = {
  'start-time': '2026-11-22T10:00:00+00:00',
  'start-wal-segment': '000000010000000000000003',
  'pg-version': '150018',
};

/** What every data directory needs in order to be recognised, as members below `prefix`. */
export function clusterMembers(prefix: string): TestMember[] {
  return [
    { path: `${prefix}PG_VERSION`, content: '15\n' },
    { path: `${prefix}base`, type: 'directory' },
    { path: `${prefix}base/1`, type: 'directory' },
    { path: `${prefix}base/1/1259`, content: Buffer.alloc(16_384, 7) },
    { path: `${prefix}global`, type: 'directory' },
    { path: `${prefix}global/1262`, content: Buffer.alloc(8192, 3) },
    { path: `${prefix}postgresql.conf`, content: "shared_buffers = '16MB'\n" },
    { path: `${prefix}postgresql.auto.conf`, content: "# Do not edit\nwork_mem = '8MB'\n" },
  ];
}

/** The control file of a PostgreSQL 15 cluster, as far as anybody looks at it. */
export function controlFileBytes(systemIdentifier = 7_711_144_717_028_197_640n): Buffer {
  const bytes = Buffer.alloc(8192);
  bytes.writeBigUInt64LE(systemIdentifier, 0);
  bytes.writeUInt32LE(1300, 8);
  bytes.writeUInt32LE(202_209_061, 12);
  bytes.writeInt32LE(6, 16);
  bytes.writeUInt32LE(1, 48);
  bytes.writeUInt32LE(8192, 216);
  bytes.writeUInt32LE(16 * 1024 * 1024, 228);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 288)), 288);
  return bytes;
}

/** `backup_label` and `global/pg_control` below `prefix`. */
export function controlMembersAt(prefix: string): TestMember[] {
  return [
    { path: `${prefix}global/pg_control`, content: controlFileBytes(), mode: 0o644 },
    { path: `${prefix}backup_label`, content: backupLabel, mode: 0o644 },
  ];
}

const emptyDirectories = [
  '',
  '/pg_log',
  '/pg_snapshot',
  '/pg_tblspc',
  '/pg_wal',
  '/pg_wal/archive_status',
  '/pg_xlog',
  '/pg_xlog/archive_status',
];

/** What the control object of a chunked backup holds behind its manifest. */
export const controlMembers: readonly TestMember[] = [
  ...controlMembersAt('pgdata/'),
  ...emptyDirectories.map((name): TestMember => ({ path: `pgdata${name}`, type: 'directory' })),
];

/** An archive of these members. Unlike our own writer it takes any name. */
export function tarOf(members: readonly TestMember[]): Buffer {
  const blocks = members.flatMap(({ content = '', ...rest }) => {
    const data = Buffer.from(content);
    const type = rest.type ?? 'file';
    const mode = type === 'directory' ? 0o700 : 0o600;
    const header = encodeTarHeader({ mode, uid: 0, gid: 0, mtime: 1_700_000_000, ...rest, type, size: data.length });
    return [header, data, Buffer.alloc(tarPaddingOf(data.length))];
  });
  const body = Buffer.concat(blocks);
  return Buffer.concat([body, tarEnd(body.length)]);
}
