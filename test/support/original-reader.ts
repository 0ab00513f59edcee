import assert from 'node:assert/strict';
import { chown, mkdir, readFile, rmdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { Unsealer } from '../../src/codec/unseal.ts';
import { runProgram } from '../../src/lib/subprocess.ts';
import { systemUser } from './system-user.ts';

interface FileEntry {
  readonly relative_path: string;
  readonly file_size: number;
  readonly stored_file_size: number;
  readonly mtime_ns: number;
  readonly hexdigest: string;
  readonly content_b64: string | null;
  readonly should_be_bundled: boolean;
  readonly missing_ok: boolean;
}

export interface DeltaManifestJson {
  readonly tablespaces: Record<string, { path: string; oid: number }>;
  readonly chunks: readonly { chunk_filename: string; input_size: number; result_size: number; files: string[] }[];
  readonly attributes: { file: object; directory: object };
  readonly manifest: {
    readonly start: string;
    readonly end: string;
    readonly snapshot_result: {
      readonly start: string;
      readonly end: string;
      readonly state: { root_globs: string[]; files: FileEntry[]; empty_dirs: string[] };
      readonly files: number;
      readonly total_size: number;
      readonly hashes: readonly { hexdigest: string; size: number }[];
    };
    readonly upload_result: { total_size: number; total_stored_size: number };
  };
}

const fileKeys = 'relative_path file_size stored_file_size mtime_ns hexdigest content_b64 should_be_bundled missing_ok'.split(' ');
const manifestKeys = {
  manifest: ['start', 'end', 'snapshot_result', 'upload_result'],
  snapshot: ['start', 'end', 'state', 'files', 'total_size', 'hashes'],
  state: ['root_globs', 'files', 'empty_dirs'],
  upload: ['total_size', 'total_stored_size'],
};

/** Restores delta backups as the original does: with GNU tar and its options, refusing names in the manifest that it does not know. */
export class OriginalReader {
  readonly #catalog: Catalog;
  readonly #privateKey: string | undefined;

  constructor(catalog: Catalog, privateKey?: string) {
    this.#catalog = catalog;
    this.#privateKey = privateKey;
  }

  async manifest(name: string, scratch: string): Promise<DeltaManifestJson> {
    const control = join(scratch, 'control');
    await mkdir(control, { recursive: true });
    await this.#untar(this.#catalog.keys.basebackupMain(name), control, []);
    const manifest = JSON.parse(await readFile(join(control, '.pghoard_tar_metadata.json'), 'utf8')) as DeltaManifestJson;
    checkStrictly(manifest);
    return manifest;
  }

  /** `tablespaces`: directory by name. */
  async restore(name: string, dataDirectory: string, scratch: string, tablespaces: Readonly<Record<string, string>> = {}): Promise<void> {
    const { keys } = this.#catalog;
    const manifest = await this.manifest(name, scratch);
    const { files, empty_dirs } = manifest.manifest.snapshot_result.state;
    for (const path of empty_dirs) await mkdir(join(dataDirectory, path), { recursive: true, mode: 0o700 });
    const options = tarOptions(tablespaces);
    for (const { chunk_filename, result_size } of manifest.chunks) {
      const key = keys.deltaChunkFile(chunk_filename);
      assert.equal((await this.#catalog.store.head(key)).size, result_size);
      await this.#untar(key, dataDirectory, options);
    }
    await this.#untar(keys.basebackupMain(name), dataDirectory, options);
    for (const file of files) await this.#place(file, dataDirectory);
    for (const [tablespace, { oid }] of Object.entries(manifest.tablespaces)) {
      await mkdir(join(dataDirectory, 'pg_tblspc'), { recursive: true });
      await symlink(tablespaces[tablespace] as string, join(dataDirectory, 'pg_tblspc', String(oid)));
      await rmdir(join(dataDirectory, 'tablespaces', tablespace)).catch(() => {});
    }
    const { uid, gid } = systemUser();
    await runProgram('chown', ['-R', `${uid}:${gid}`, dataDirectory]);
    await chown(dataDirectory, uid, gid);
  }

  async #place(file: FileEntry, dataDirectory: string): Promise<void> {
    const target = join(dataDirectory, file.relative_path);
    if (file.should_be_bundled) return;
    await mkdir(dirname(target), { recursive: true });
    if (file.hexdigest === '') return writeFile(target, Buffer.from(file.content_b64 as string, 'base64'));
    const key = this.#catalog.keys.deltaFile(file.hexdigest);
    assert.equal((await this.#catalog.store.head(key)).size, file.stored_file_size, `${file.relative_path}: stored size`);
    const content = await this.#read(key);
    assert.equal(content.length, file.file_size);
    await writeFile(target, content);
  }

  async #untar(key: string, directory: string, options: readonly string[]): Promise<void> {
    const archive = `${directory}.tar`;
    await writeFile(archive, await this.#read(key));
    const { code, stderr } = await runProgram('tar', ['-xf', archive, '-C', directory, ...options]);
    assert.equal(code, 0, stderr);
  }

  async #read(key: string): Promise<Buffer> {
    const { entry, bytes } = await this.#catalog.store.get(key);
    const encrypted = entry.metadata['encryption-key-id'] !== undefined;
    const pieces: Buffer[] = [];
    const compression = entry.metadata['compression-algorithm'] as 'snappy';
    using unsealer = new Unsealer({ compression, ...(encrypted && { privateKey: this.#privateKey as string }) }, (piece) => {
      pieces.push(Buffer.from(piece));
    });
    for await (const piece of bytes) await unsealer.update(piece);
    await unsealer.finish();
    return Buffer.concat(pieces);
  }
}

function checkStrictly({ manifest }: DeltaManifestJson): void {
  const { snapshot_result: snapshot, upload_result: upload } = manifest;
  assert.deepEqual(Object.keys(manifest), manifestKeys.manifest);
  assert.deepEqual(Object.keys(snapshot), manifestKeys.snapshot);
  assert.deepEqual(Object.keys(snapshot.state), manifestKeys.state);
  assert.deepEqual(Object.keys(upload), manifestKeys.upload);
  for (const file of snapshot.state.files) {
    assert.deepEqual(Object.keys(file), fileKeys);
    for (const number of [file.file_size, file.stored_file_size, file.mtime_ns]) assert.ok(Number.isInteger(number));
    const places = [file.hexdigest !== '', file.content_b64 !== null, file.should_be_bundled];
    assert.equal(places.filter(Boolean).length, 1, `${file.relative_path} is in one place`);
  }
  assert.equal(snapshot.files, snapshot.state.files.length);
}

/** Section 8.6 of the original's behaviour. */
function tarOptions(tablespaces: Readonly<Record<string, string>>): string[] {
  const options = ['--exclude', '.pghoard_tar_metadata.json', '--transform', 's,^pgdata/,,', '--exclude', '.manifest.json'];
  if (Object.keys(tablespaces).length > 0) options.push('--absolute-names');
  for (const [name, path] of Object.entries(tablespaces)) {
    const [from, to] = [name.replaceAll('\\', '\\\\').replaceAll(',', '\\,'), path.replaceAll(',', '\\,')];
    options.push('--transform', `s,^tablespaces/${from}/\\(.*\\)$,${to}/\\1,`);
  }
  return options;
}
