import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { CompressionAlgorithm } from '../../src/codec/codec-options.ts';
import { createKeyPair } from '../../src/codec/keys.ts';
import { openStore } from '../../src/storage/drivers.ts';
import type { StorageOptions } from '../../src/storage/options.ts';
import type { Finding } from '../../src/verify/finding.ts';
import { BackupBench } from '../support/backup-bench.ts';
import { MadeUpCluster, type StoredFormat } from '../support/made-up-cluster.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { VerifyBench } from '../support/verify-bench.ts';

/** Every kind of damage to every kind of object, in every format, compression and encryption: it is found, and the object is named. */

const bench = new VerifyBench();
after(() => bench[Symbol.asyncDispose]());
let keys: { publicKey: string; privateKey: string };
let otherKeys: { publicKey: string; privateKey: string };
before(async () => {
  keys = await createKeyPair(2048);
  otherKeys = await createKeyPair(2048);
});

const name = '2026-11-22_10-00_0';
/** Its WAL is kept elsewhere. */
const origin = {
  decisionTime: new Date('2026-11-23T01:02:03Z'),
  reason: 'requested',
  activeMode: 'basic',
  host: 'bench',
  pghoardVersion: '3.0.0',
} as const;

class DamagedStore implements AsyncDisposable {
  readonly storage: StorageOptions;
  readonly objects: readonly string[];
  readonly others: readonly string[];
  readonly directory: string;
  readonly #stack: AsyncDisposableStack;

  static async make(format: StoredFormat, algorithm: CompressionAlgorithm, isEncrypted: boolean): Promise<DamagedStore> {
    const stack = new AsyncDisposableStack();
    const { path: directory } = stack.use(await makeTemporaryDirectory());
    const storage = { storage_type: 'local', directory } as StorageOptions;
    const backups = stack.use(await BackupBench.open(await openStore(storage)));
    const cluster = await MadeUpCluster.create(await backups.directory('source'), format === 'raw' ? [] : ['fast']);
    for (const [index, size] of [0, 100, 3000, 70_000, 150_000, 90_000].entries()) {
      const content = Buffer.alloc(size, `${'some words of file '.repeat(index)}${index}`);
      await writeFile(join(cluster.dataDirectory, `base/1/${2000 + index}`), content);
    }
    for (const { path } of cluster.tablespaces) await writeFile(join(path, 'PG_15_202209061/x'), 'in a tablespace');
    const seal = {
      compression: { algorithm, level: 0 },
      ...(isEncrypted && { publicKey: keys.publicKey, encryptionKeyId: 'main' }),
    };
    await cluster.backUp(backups, name, format, { seal, chunkBytesMax: 128 * 1024, origin });
    return new DamagedStore(storage, directory, await backups.storedKeys(), stack);
  }

  private constructor(storage: StorageOptions, directory: string, objects: readonly string[], stack: AsyncDisposableStack) {
    this.storage = storage;
    this.directory = directory;
    // One of each kind, and one for which it can be mistaken. Only our own index of it is no part of a base backup.
    const byKind = Object.groupBy(objects, (key) => key.split('/')[1] as string);
    delete byKind['basebackup_delta_index'];
    this.objects = Object.values(byKind).flatMap((all = []) => all.slice(0, 1));
    this.others = Object.values(byKind).flatMap((all = []) => all.slice(1, 2));
    this.#stack = stack;
  }

  /** There is no other object to compare it with. */
  get isSingle(): boolean {
    return this.objects.length + this.others.length === 1;
  }

  async findings(privateKey = keys.privateKey): Promise<readonly Finding[]> {
    return (await bench.verify({ storage: this.storage, prefix: 'site', privateKeys: { main: privateKey } })).findings;
  }

  /** Changes a file, looks what is found, and takes the change back. */
  async whenChanged(key: string, change: (bytes: Buffer) => Buffer | undefined): Promise<readonly Finding[]> {
    const path = join(this.directory, key);
    const original = await readFile(path);
    const changed = change(Buffer.from(original));
    try {
      if (changed === undefined) await rm(path);
      else await writeFile(path, changed);
      return await this.findings();
    } finally {
      await writeFile(path, original);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function flipped(part: number): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const at = Math.min(Math.floor(bytes.length * part), bytes.length - 1);
    bytes[at] = (bytes[at] as number) ^ 0x10;
    return bytes;
  };
}

function assertNamed(
  findings: readonly Finding[],
  key: string,
  what: string,
  severities: readonly Finding['severity'][] = ['damaged'],
): void {
  const named = findings.filter((finding) => finding.object === key && severities.includes(finding.severity));
  assert.ok(named.length > 0, `${what} of ${key}: ${JSON.stringify(findings)}`);
}

for (const format of ['raw', 'pghoard-bb-v1', 'pghoard-bb-v2', 'pghoard-delta-v2'] as const) {
  for (const algorithm of ['snappy', 'lzma', 'zstd'] as const) {
    for (const isEncrypted of [false, true]) {
      test(`damage is found: ${format}, ${algorithm}, ${isEncrypted ? 'encrypted' : 'plain'}`, async () => {
        await using store = await DamagedStore.make(format, algorithm, isEncrypted);
        assert.deepEqual(await store.findings(), [], 'it is sound');
        for (const key of store.objects) {
          const isPart = !key.includes('/basebackup/');
          // Where the key of the only object is damaged, it looks like another one.
          assertNamed(
            await store.whenChanged(key, flipped(0.01)),
            key,
            'a bit at its beginning',
            isEncrypted && store.isSingle ? ['damaged', 'unread'] : undefined,
          );
          // In the zeros at the end of a small archive, snappy has bits that mean nothing.
          assertNamed(await store.whenChanged(key, flipped(isPart ? 0.6 : 0.25)), key, 'a bit');
          assertNamed(await store.whenChanged(key, (bytes) => bytes.subarray(0, bytes.length - 7)), key, 'the end');
          if (isPart) assertNamed(await store.whenChanged(key, () => undefined), key, 'all');
          const other = store.others.find((each) => each.split('/')[1] === key.split('/')[1]);
          if (other === undefined) continue;
          const bytes = await readFile(join(store.directory, other));
          assertNamed(await store.whenChanged(key, () => bytes), key, 'the exchange');
        }
        if (isEncrypted) {
          const findings = await store.findings(otherKeys.privateKey);
          assertNamed(findings, store.objects[0] as string, 'the key', ['unread']);
          assert.ok(findings.every(({ severity }) => severity === 'unread'));
        }
        assert.deepEqual(await store.findings(), [], 'it is mended');
      });
    }
  }
}
