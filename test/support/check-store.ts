import assert from 'node:assert/strict';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { basebackupNameOf, mainObjectSuffix } from '../../src/catalog/keys.ts';
import { normaliseMetadata } from '../../src/catalog/metadata-fields.ts';
import { readSiteIdentity } from '../../src/catalog/site-identity.ts';
import { parseWalIndex } from '../../src/catalog/wal-index/parse-wal-index.ts';
import type { CompressionAlgorithm } from '../../src/codec/codec-options.ts';
import { Unsealer } from '../../src/codec/unseal.ts';
import { classifyWalFile } from '../../src/postgres/wal-name.ts';
import { checkWalSegment, walHeaderBytes } from '../../src/postgres/wal-page.ts';
import { TarReader } from '../../src/tar/reader.ts';

const manifestMember = '.pghoard_tar_metadata.json';

interface ManifestChunk {
  readonly chunk_filename: string;
  readonly input_size: number;
  readonly result_size: number;
  readonly files: readonly string[];
}

interface ReadObject {
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly hash: string;
}

/** What a store was found to have, all of it whole. */
export interface StoreContents {
  /** SHA-1 of each WAL file's plaintext, by its name. */
  readonly wal: ReadonlyMap<string, string>;
  /** First segment that a base backup needs; empty where there is none. Older ones may be pruned. */
  readonly walNeededFrom: string;
  /** Complete base backups, by start time. */
  readonly basebackups: readonly string[];
  /** Keys of chunks that belong to no base backup. */
  readonly orphanChunks: readonly string[];
}

/**
 * Reads a whole store the way a restore would, and more: every visible object is where objects of its kind belong, opens, and is what its
 * metadata says; every base backup has all its parts, and each of them holds the files that the manifest names. Fails on the first thing torn.
 */
export async function checkStore(catalog: Catalog, privateKey?: string): Promise<StoreContents> {
  const check = new StoreCheck(catalog, privateKey);
  const { entries, unreadable } = await catalog.basebackups();
  assert.deepEqual(unreadable, [], 'every base backup can be read');
  for (const { key } of entries) await check.basebackup(key);
  for await (const { key } of catalog.store.list('')) await check.anything(key);
  const [walNeededFrom = ''] = entries.map(({ startWalSegment }) => startWalSegment).toSorted();
  return { wal: check.wal, walNeededFrom, basebackups: entries.map(({ name }) => name), orphanChunks: check.orphanChunks };
}

class StoreCheck {
  readonly wal = new Map<string, string>();
  readonly orphanChunks: string[] = [];
  readonly #catalog: Catalog;
  readonly #privateKey: string | undefined;
  /** Objects of base backups, which have been looked at by their manifests. */
  readonly #seen = new Set<string>();

  constructor(catalog: Catalog, privateKey: string | undefined) {
    this.#catalog = catalog;
    this.#privateKey = privateKey;
  }

  async anything(key: string): Promise<void> {
    const { keys } = this.#catalog;
    const name = key.slice(key.lastIndexOf('/') + 1);
    if (this.#seen.has(key)) return;
    if (key.startsWith(keys.leasePrefix)) return;
    if (key === keys.identity) assert(await readSiteIdentity(this.#catalog), `${key} can be read`);
    else if (key === keys.wal(name) || key === keys.history(name)) await this.#walFile(key, name);
    else if (key === keys.walIndex(name)) await this.#walIndex(key, name);
    else {
      assert(key.startsWith(keys.chunksPrefix), `nothing belongs at ${key}`);
      await this.#archive(key);
      this.orphanChunks.push(key);
    }
  }

  /** The main object, and where it is the small one of a chunked backup, all chunks. */
  async basebackup(key: string): Promise<void> {
    this.#seen.add(key);
    const { members, manifest } = await this.#archive(key);
    if (!key.endsWith(mainObjectSuffix)) return this.#isDataDirectory(key, members);
    assert(manifest, `${key} has a manifest`);
    const { chunks } = JSON.parse(manifest) as { chunks: readonly ManifestChunk[] };
    const files = new Set(members);
    for (const chunk of chunks) for (const file of await this.#chunk(chunk)) files.add(file);
    assert.equal(new Set(chunks.map((chunk) => chunk.chunk_filename)).size, chunks.length, `${key} names each chunk once`);
    this.#isDataDirectory(
      basebackupNameOf(key),
      [...files].map((path) => path.replace(/^pgdata\//, '')),
    );
  }

  #isDataDirectory(name: string, members: readonly string[]): void {
    for (const file of ['backup_label', 'global/pg_control', 'PG_VERSION', 'global/pg_filenode.map']) {
      assert(
        members.some((member) => member.replace(/^\.\//, '') === file),
        `${name} has ${file}`,
      );
    }
  }

  async #chunk(chunk: ManifestChunk): Promise<readonly string[]> {
    const key = this.#catalog.keys.chunkFile(chunk.chunk_filename);
    this.#seen.add(key);
    const { members, object } = await this.#archive(key);
    assert.equal(object.storedBytes, chunk.result_size, `${key} has the size that the manifest says`);
    assert.equal(object.plainBytes, chunk.input_size, `${key} unpacks to the size that the manifest says`);
    const missing = chunk.files.filter((file) => !members.includes(file));
    assert.deepEqual(missing, [], `${key} has the files that the manifest names`);
    return members;
  }

  async #archive(key: string): Promise<{ object: ReadObject; members: string[]; manifest: string | undefined }> {
    const members: string[] = [];
    let manifest: string | undefined;
    const reader = new TarReader({
      member: ({ path }) => {
        members.push(path.replace(/\/$/, ''));
        if (path === manifestMember) manifest = '';
      },
      data: (bytes) => {
        if (members.at(-1) === manifestMember) manifest += Buffer.from(bytes).toString('utf8');
      },
      end: () => {},
    });
    const object = await this.#read(key, (bytes) => reader.update(bytes));
    reader.finish();
    return { object, members, manifest };
  }

  async #walIndex(key: string, name: string): Promise<void> {
    const pieces: Buffer[] = [];
    await this.#read(key, (bytes) => void pieces.push(Buffer.from(bytes)));
    assert.equal(parseWalIndex(Buffer.concat(pieces).toString('utf8'), key).name, name);
    assert(await this.#catalog.findWal(name), `${key} goes with a segment`);
  }

  async #walFile(key: string, name: string): Promise<void> {
    const first = Buffer.alloc(walHeaderBytes);
    let filled = 0;
    const object = await this.#read(key, (bytes) => {
      if (filled < first.length) filled += Buffer.from(bytes).copy(first, filled);
    });
    if (classifyWalFile(name) === 'segment') checkWalSegment(name, first, { fileBytes: object.plainBytes });
    this.wal.set(name, object.hash);
  }

  /** Opens an object, which says of itself whether it is whole, and compares it with its metadata. */
  async #read(key: string, sink: (bytes: Uint8Array) => void | Promise<void>): Promise<ReadObject> {
    const { entry, bytes } = await this.#catalog.store.get(key);
    const metadata = normaliseMetadata(entry.metadata);
    const compression = metadata['compression-algorithm'] as CompressionAlgorithm | undefined;
    const isEncrypted = metadata['encryption-key-id'] !== undefined;
    assert.equal(isEncrypted, this.#privateKey !== undefined, `${key} is encrypted if the site is`);
    const options = { plainHash: 'sha1', ...(compression && { compression }), ...(this.#privateKey && { privateKey: this.#privateKey }) };
    using unsealer = new Unsealer(options, sink);
    for await (const piece of bytes) await unsealer.update(piece);
    const { plainBytes, sealedBytes, plainHash = '' } = await unsealer.finish();
    assert.equal(sealedBytes, entry.size, `${key} is as long as it is listed`);
    assert.equal(metadata['content-length'], String(sealedBytes), `${key} is as long as its metadata says`);
    assert.equal(metadata['original-file-size'], String(plainBytes), `${key} unpacks to as much as its metadata says`);
    if (metadata['hash'] !== undefined) assert.equal(metadata['hash'], plainHash, `${key} has the content that its metadata says`);
    return { storedBytes: sealedBytes, plainBytes, hash: plainHash };
  }
}
