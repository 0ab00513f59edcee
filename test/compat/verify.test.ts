import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { StorageOptions } from '../../src/storage/options.ts';
import { VerifyBench } from '../support/verify-bench.ts';
import { Fixture, fixtureNames } from './fixture.ts';

const bench = new VerifyBench();
after(() => bench[Symbol.asyncDispose]());

for (const name of fixtureNames) {
  test(`what PGHoard has stored is sound: ${name}`, async () => {
    await using fixture = await Fixture.unpack(name);
    const { prefix, site } = fixture.expected;
    const { encryption_keys = {} } = (await fixture.config()).backup_sites[site] ?? {};
    const privateKeys = Object.fromEntries(Object.entries(encryption_keys).map(([id, { private: key }]) => [id, key]));
    const storage = { storage_type: 'local', directory: fixture.storeDirectory } as StorageOptions;
    const report = await bench.verify({ storage, prefix, privateKeys });
    assert.deepEqual(report.findings, []);
    assert.equal(report.result, 'sound');
    assert.equal(report.unproven.objects, 0);
    assert.equal(report.basebackups.sound, Object.keys(fixture.expected.basebackups).length);
    const again = await bench.verify({ storage, prefix, privateKeys }, { again: () => false });
    assert.deepEqual([again.unproven.objects, again.basebackups.sound], [0, report.basebackups.sound]);
    assert.ok(again.read.bytes < report.read.bytes / 4, `nothing is read twice, but ${again.read.bytes} of ${report.read.bytes} bytes`);
  });
}
