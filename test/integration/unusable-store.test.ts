import assert from 'node:assert/strict';
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HealthDocument } from '../../src/daemon/health/health-document.ts';
import { TestAuthority } from '../support/certificates.ts';
import { runOurs } from '../support/commands.ts';
import { siteName, TestDaemon } from '../support/daemon.ts';
import type { StubAnswer, StubRequest } from '../support/services/http-stub.ts';
import { S3Stub } from '../support/services/s3-stub.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

function emptyListing({ query }: StubRequest): StubAnswer | undefined {
  if (!query.has('list-type')) return undefined;
  return { body: '<ListBucketResult><Name>b</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>' };
}

const segment = '000000010000000000000001';

test('sites whose stores need files that cannot be read are broken, the other runs, and each is mended by its file', async () => {
  await using scratch = await makeTemporaryDirectory();
  await using bucket = await S3Stub.start(emptyListing);
  const at = (name: string) => join(scratch.path, name);
  const active = { nodes: [`host=${scratch.path} connect_timeout=1`], pg_data_directory: at('pgdata'), basebackup_mode: 'pipe' };
  const daemon = await TestDaemon.prepare({ directory: at('pghoard') });
  await using _daemon = daemon;
  const sftp = { storage_type: 'sftp', server: '127.0.0.1', port: 1, username: 'u', private_key: at('key') };
  const google = { storage_type: 'google', bucket_name: 'b', credential_file: at('credentials') };
  await writeFile(google.credential_file, '{"type": "service_account", "half');
  const certified = bucket.options({ cert_path: at('authority.crt') });
  await daemon.configure({
    others: {
      certified: { ...active, object_storage: certified },
      sftp: { ...active, object_storage: sftp },
      google: { ...active, object_storage: google },
    },
  });
  await daemon.launch();
  const statusOf = async (site: string) => (await (await daemon.request('GET', `/${site}/status`)).json()) as HealthDocument;
  const becomes = (site: string, what: string, is: (health: HealthDocument) => boolean) =>
    waitFor(async () => is(await statusOf(site)), { withinMs: 60_000, what: () => `${site} ${what}:\n${daemon.log}` });
  const isDenied = ({ alerts }: HealthDocument) => alerts.some(({ name }) => name === 'store_denied');

  const code = async (site: string) => (await daemon.request('HEAD', `/${site}/archive/${segment}`)).headers.get('x-pghoard-code');
  assert.equal(await code(siteName), 'wal-missing', 'the site that is well answers');
  for (const [site, file] of [
    ['certified', 'authority.crt'],
    ['sftp', 'key'],
    ['google', 'credentials'],
  ] as const) {
    await becomes(site, 'is told to be broken', (health) => isDenied(health) && health.store.reachable === false);
    const { alerts, verdict } = await statusOf(site);
    assert.match(alerts.map(({ because }) => because).join(), new RegExp(at(file)));
    assert.equal(verdict.is, 'unknown', 'nobody can tell whether it can be restored');
    assert.equal(await code(site), 'store-denied', 'nobody is told that there is no such WAL');
    assert.match(daemon.log, new RegExp(`WARN.*backup_sites\\.${site}\\.object_storage\\.\\w+ file ${at(file)}`));
  }
  await access(at('pghoard/alerts/store_denied'));

  const { stdout, code: exitCode } = await runOurs('pghoard', ['check', '--config', daemon.configFile, '--site', 'certified', '--quick']);
  assert.equal(exitCode, 1);
  assert.match(stdout, new RegExp(`backup_sites\\.certified\\.object_storage\\.cert_path.*${at('authority.crt')}`));
  assert.match(stdout, new RegExp(`store[^]*${at('authority.crt')}`));

  await daemon.reconfigure({ site: { basebackup_count: 3 } });
  const moved = { ...active, object_storage: { ...sftp, private_key: at('other-key') } };
  await assert.rejects(daemon.reconfigure({ others: { sftp: moved } }), /not reloaded.*other-key/s);

  await TestAuthority.create(scratch.path);
  await becomes('certified', 'is well', ({ store }) => store.reachable === true);
  assert.equal(await code('certified'), 'wal-missing');
  assert.equal((await statusOf('sftp')).store.reachable, false);
});
