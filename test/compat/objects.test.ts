import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { normaliseMetadata } from '../../src/catalog/metadata-fields.ts';
import type { CompressionAlgorithm } from '../../src/codec/codec-options.ts';
import { Unsealer } from '../../src/codec/unseal.ts';
import type { SiteConfig } from '../../src/config/config.ts';
import { loadConfig, selectSite } from '../../src/config/load.ts';
import { parseTimelineHistory } from '../../src/postgres/timeline-history.ts';
import { classifyWalFile } from '../../src/postgres/wal-name.ts';
import { checkWalSegment } from '../../src/postgres/wal-page.ts';
import { openStore } from '../../src/storage/drivers.ts';
import type { Metadata, ObjectStore } from '../../src/storage/object-store.ts';
import { TarReader } from '../../src/tar/reader.ts';
import { runOurs } from '../support/commands.ts';
import { Fixture, fixtureNames } from './fixture.ts';

const sidecarSuffix = '.metadata';

for (const name of fixtureNames) {
  test(`${name}: every object is what its metadata says, and the base backups are listed`, async () => {
    await using fixture = await Fixture.unpack(name);
    const configFile = fixture.place('pghoard.json');
    await writeFile(configFile, JSON.stringify(await fixture.config()));
    const site = selectSite(await loadConfig(configFile));
    const store = await openStore(site.object_storage);
    const keys: string[] = [];
    for await (const { key } of store.list('')) keys.push(key);
    const expectedKeys = Object.keys(fixture.expected.objects).filter((key) => !key.endsWith(sidecarSuffix));
    assert.deepEqual(keys.toSorted(), expectedKeys.toSorted());

    for (const key of keys) {
      const { metadata, plain } = await readObject(store, key, fixture, site);
      assert.equal(plain.length, Number(metadata['original-file-size']), key);
      await checkContent(key, plain, metadata, fixture);
    }
    await checkListing(store, configFile, fixture);
  });
}

/** The object's bytes as they were before they were compressed and encrypted, after a look at those stored. */
async function readObject(
  store: ObjectStore,
  key: string,
  { expected }: Fixture,
  { encryption_keys: keys }: SiteConfig,
): Promise<{ metadata: Metadata; plain: Buffer }> {
  const { entry, bytes } = await store.get(key);
  const stored = await buffer(bytes);
  assert.deepEqual({ size: entry.size, sha256: digest('sha256', stored) }, expected.objects[key], key);
  assert.equal(stored.length, entry.size, key);
  const metadata = normaliseMetadata(entry.metadata);
  const keyId = metadata['encryption-key-id'];
  const privateKey = keyId === undefined ? undefined : keys?.[keyId]?.private;
  const plain: Buffer[] = [];
  const compression = metadata['compression-algorithm'] as CompressionAlgorithm;
  using unsealer = new Unsealer({ compression, ...(privateKey && { privateKey }) }, (piece) => {
    plain.push(Buffer.from(piece));
  });
  await unsealer.update(stored);
  await unsealer.finish();
  return { metadata, plain: Buffer.concat(plain) };
}

async function checkContent(key: string, plain: Buffer, metadata: Metadata, { expected }: Fixture): Promise<void> {
  const [folder = '', file = ''] = key.slice(expected.prefix.length + 1).split('/');
  switch (folder) {
    case 'xlog': {
      const { long } = checkWalSegment(file, plain, { segmentBytes: 16 * 1024 * 1024, fileBytes: plain.length });
      assert.equal(String(long?.systemIdentifier), expected.system_identifier, key);
      assert.equal(classifyWalFile(file), 'segment');
      if (metadata['hash'] !== undefined) assert.equal(metadata['hash'], digest(metadata['hash-algorithm'] ?? '', plain), key);
      return;
    }
    case 'timeline':
      assert.deepEqual(
        parseTimelineHistory(plain.toString()).map(({ timeline }) => timeline),
        [1],
      );
      return;
    case 'basebackup_delta':
      assert.match(file, /^[0-9a-f]{64}$/);
      return;
    default:
      assert((await memberCount(plain)) > 0, `${key} has members`);
  }
}

async function memberCount(tar: Buffer): Promise<number> {
  let count = 0;
  const reader = new TarReader({ member: () => void count++, data: () => {}, end: () => {} });
  await reader.update(tar);
  reader.finish();
  return count;
}

async function checkListing(store: ObjectStore, configFile: string, fixture: Fixture): Promise<void> {
  const { site, prefix, basebackups } = fixture.expected;
  const { entries, unreadable } = await new Catalog(store, new SiteKeys(prefix)).basebackups();
  assert.deepEqual(unreadable, []);
  assert.deepEqual(
    Object.fromEntries(
      entries.map(({ digest: kept, ...entry }) => [
        entry.key.slice(entry.key.lastIndexOf('/') + 1),
        { metadata: entry.metadata, digest: kept },
      ]),
    ),
    Object.fromEntries(
      Object.entries(basebackups).map(([key, { _hash, ...metadata }]) => [key, { metadata: normaliseMetadata(metadata), digest: _hash }]),
    ),
  );

  const { code, stdout, stderr } = await runOurs('restore', ['list-basebackups', '--config', configFile]);
  assert.equal(code, 0, stderr);
  const sizes = (key: string) => fixture.expected.objects[`${prefix}/basebackup/${key}`]?.size;
  const rows = Object.entries(basebackups).map(([key, metadata]) => [
    `${prefix}/basebackup/${key}`,
    mebibytes(metadata['total-size-enc'] ?? sizes(key)),
    mebibytes(metadata['total-size-plain'] ?? metadata['original-file-size']),
    `${new Date(metadata['start-time'] ?? '').toISOString().slice(0, 19)}Z`,
  ]);
  assert.match(stdout, new RegExp(`^Available '${site}' basebackups:`));
  assert.deepEqual(
    stdout
      .trimEnd()
      .split('\n')
      .slice(4)
      .map((line) => line.trimEnd().split(/ {2,}/)),
    rows,
  );
}

function mebibytes(bytes: string | number | undefined): string {
  return `${Math.floor(Number(bytes) / 1024 / 1024)} MB`;
}

function digest(algorithm: string, bytes: Buffer): string {
  return createHash(algorithm).update(bytes).digest('hex');
}
