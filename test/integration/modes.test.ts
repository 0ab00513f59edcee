import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { assertPgbenchBalanced, Load, prepareLoad, wholeLedger } from '../support/load.ts';
import type { PostgresVersion } from '../support/postgres-binaries.ts';
import { connectionFlags, runClientProgram } from '../support/postgres-programs.ts';
import { tableChecksums } from '../support/table-checksums.ts';
import { TestSite } from '../support/test-site.ts';

const modes = ['local-tar', 'basic', 'pipe'] as const;
/** Which of its backups is taken of which version. */
const streamed = { '15': 'encrypted', embedded: 'plain' } as const;
const withManifest: readonly string[] = ['pipe', 'stream'];

for (const version of ['15', 'embedded'] as const satisfies PostgresVersion[]) {
  const kinds = ['plain', 'encrypted'].flatMap((sealing) => modes.map((mode) => ({ sealing, mode })));
  const backups = [...kinds, { sealing: streamed[version], mode: 'stream' as const }].map((kind) => ({
    ...kind,
    title: `${kind.mode}, ${kind.sealing}`,
  }));
  describe(`PostgreSQL ${version}, under load`, () => {
    let site: TestSite;
    /** Name of the backup and what the ledger had when it began, by title. */
    const taken = new Map<string, { name: string; ledgerBefore: number }>();
    let checksums: Record<string, string>;
    let ledger: number;

    before(async () => {
      site = await TestSite.start({ version, encrypted: true, site: { encryption_key_id: null } });
      await prepareLoad(site.postgres, version);
    });
    after(() => site?.[Symbol.asyncDispose]());

    test('the server is backed up in every mode, plain and encrypted, while it is written to', async () => {
      await using load = await Load.start(site.postgres, version);
      for (const { mode, sealing, title } of backups) {
        await site.daemon.reconfigure({ site: { basebackup_mode: mode, encryption_key_id: sealing === 'encrypted' ? 'key' : null } });
        const ledgerBefore = load.lastCommitted;
        taken.set(title, { name: await site.basebackup(), ledgerBefore });
        await load.goesOn();
      }
      await load.stop();
      ledger = load.lastCommitted;
      await site.archiveAll();
      assert.equal(await wholeLedger(site.postgres), ledger);
      assert.doesNotMatch(site.daemon.log, /by a bug/);
      checksums = await tableChecksums(site.postgres);
    });

    for (const { mode, sealing, title } of backups) {
      test(`all that was committed is there after a restore (${title})`, async () => {
        const { name, ledgerBefore } = taken.get(title) ?? assert.fail('it was not backed up');
        const catalog = await site.daemon.catalog();
        const entry = await catalog.basebackup(name);
        const keyId = sealing === 'encrypted' ? 'key' : undefined;
        assert.equal(entry.encryptionKeyId, keyId);
        assert.equal((await catalog.findWal(entry.startWalSegment))?.metadata['encryption-key-id'], keyId);
        assert.ok(ledgerBefore > 0 && ledgerBefore < ledger);

        const target = site.place(title);
        await site.daemon.restore(target, ['--basebackup', name, '--restore-to-primary']);
        assert.equal(existsSync(`${target}/backup_manifest`), withManifest.includes(mode));
        if (withManifest.includes(mode)) await runClientProgram('pg_verifybackup', version, ['--no-parse-wal', '--quiet', target]);
        await using restored = await site.startOn(target);
        await restored.promoted();
        assert.deepEqual(await tableChecksums(restored), checksums);
        assert.equal(await wholeLedger(restored), ledger);
        await assertPgbenchBalanced(restored);
        const checks = ['--all', '--install-missing', '--heapallindexed', '--parent-check', '--no-strict-names'];
        const { stdout } = await runClientProgram('pg_amcheck', version, [...connectionFlags(restored), ...checks]);
        assert.equal(stdout, '');
      });
    }
  });
}
