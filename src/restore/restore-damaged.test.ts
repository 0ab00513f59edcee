import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertComplete, assertUnstartable, makeRestoreBench } from '../../test/support/restore-bench.ts';
import { clusterMembers, controlMembersAt, type TestBackups } from '../../test/support/test-backups.ts';
import { createKeyPair } from '../codec/keys.ts';
import { CodecPool } from '../codec/pool.ts';
import { isOperatorError } from '../lib/errors.ts';

const pool = new CodecPool(2);
after(() => pool.close());
const makeBench = (privateKeys?: Record<string, string>) => makeRestoreBench(pool, privateKeys);

const rawMembers = [...controlMembersAt('').slice(1), ...clusterMembers(''), ...controlMembersAt('').slice(0, 1)];

const key = await createKeyPair(1024);
const otherKey = await createKeyPair(1024);
const encrypted = { id: 'k1', publicKey: key.publicKey };

test('an encrypted backup is opened with the key that its metadata names', async () => {
  await using bench = await makeBench({ k0: otherKey.privateKey, k1: key.privateKey });
  await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')], key: encrypted });
  await bench.restore();
  await assertComplete(bench.target);
});

const keyTroubles: [what: string, keys: Record<string, string>, code: string][] = [
  ['a missing private key', { k0: key.privateKey }, 'key-missing'],
  ['a wrong private key', { k1: otherKey.privateKey }, 'key-wrong'],
];
for (const [what, keys, code] of keyTroubles) {
  test(`${what} is named before anything is touched`, async () => {
    await using bench = await makeBench(keys);
    await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')], key: encrypted });
    await assert.rejects(bench.restore(), (error) => isOperatorError(error, code));
    assert.equal(existsSync(bench.target), false);
  });
}

type Damage = (backups: TestBackups, chunk: string) => Promise<void>;
const rewrite =
  (change: (bytes: Buffer) => Buffer): Damage =>
  async (backups, chunk) => {
    const file = backups.fileOf(chunk);
    await writeFile(file, change(await readFile(file)));
  };
const damages: [what: string, damage: Damage, code: string][] = [
  [
    'a flipped bit',
    rewrite((bytes) => Buffer.concat([bytes.subarray(0, 500), Buffer.from([(bytes[500] as number) ^ 1]), bytes.subarray(501)])),
    'object-corrupt',
  ],
  [
    'a flipped bit in the last byte',
    rewrite((bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([(bytes.at(-1) as number) ^ 1])])),
    'object-corrupt',
  ],
  ['a chunk cut short', rewrite((bytes) => bytes.subarray(0, -100)), 'object-corrupt'],
  ['an empty chunk', rewrite(() => Buffer.alloc(0)), 'object-corrupt'],
  ['a missing chunk', (backups, chunk) => backups.store.delete(chunk), 'basebackup-incomplete'],
  [
    'the chunk of another backup in its place',
    async (backups, chunk) =>
      void (await backups.putArchive(chunk, [{ path: 'pgdata/x', content: 'y' }], { key: encrypted }, { format: 'pghoard-bb-v2' })),
    'object-corrupt',
  ],
];
for (const [what, damage, code] of damages) {
  test(`${what} is found, named, and nothing can be started; another restore cleans up`, async () => {
    await using bench = await makeBench({ k1: key.privateKey });
    const chunks = [clusterMembers('pgdata/'), [{ path: 'pgdata/big', content: Buffer.alloc(300_000, 'abc') }]];
    const [, , chunk = ''] = await bench.backups.addChunked({ chunks, key: encrypted });
    await damage(bench.backups, chunk);
    await assert.rejects(bench.restore(), (error) => isOperatorError(error, code) && error.message.includes(chunk));
    await assertUnstartable(bench.target);

    await assert.rejects(bench.restore(), { code });
    await assertUnstartable(bench.target);
    await bench.backups.addChunked({ chunks, key: encrypted });
    await assert.rejects(bench.restore(), { code: 'restore-journal-foreign', hint: /--overwrite/ });
    await bench.restore({ overwrite: true });
    await assertComplete(bench.target);
  });
}

test('an object that unpacks to more than it should is stopped', async () => {
  await using bench = await makeBench();
  await bench.backups.addSingle({ members: rawMembers, metadata: { 'original-file-size': '20480' } });
  await assert.rejects(bench.restore(), (error) => isOperatorError(error, 'object-corrupt') && /more than 20480/.test(error.message));
});

const incomplete: [what: string, path: string][] = [
  ['control file', 'global/pg_control'],
  ['backup label', 'backup_label'],
  ['version file', 'PG_VERSION'],
];
for (const [what, path] of incomplete) {
  test(`a backup without its ${what} is refused rather than started wrongly`, async () => {
    await using bench = await makeBench();
    await bench.backups.addSingle({ members: rawMembers.filter((member) => member.path !== path) });
    await assert.rejects(bench.restore(), (error) => isOperatorError(error, 'basebackup-incomplete') && error.message.includes(path));
    assert.equal(existsSync(join(bench.target, 'global/pg_control')), false);
  });
}
