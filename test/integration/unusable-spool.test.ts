import assert from 'node:assert/strict';
import { access, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HealthDocument } from '../../src/daemon/health/health-document.ts';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const segment = '000000010000000000000001';

test('a site whose spool cannot be made is broken, the other runs, and it is mended by who makes room for it', async () => {
  await using scratch = await makeTemporaryDirectory();
  const at = (name: string) => join(scratch.path, name);
  const daemon = await TestDaemon.prepare({ directory: at('pghoard') });
  await using _daemon = daemon;
  const siteIn = (name: string) => ({
    nodes: [`host=${scratch.path} connect_timeout=1`],
    pg_data_directory: at('pgdata'),
    basebackup_mode: 'pipe',
    object_storage: { storage_type: 'local', directory: at(name) },
  });
  const others = { blocked: siteIn('blocked'), partly: siteIn('partly') };
  await daemon.configure({ others });
  const spoolOf = (site: string) => join(daemon.spoolDirectory, '..', site);
  await mkdir(spoolOf('partly'), { recursive: true });
  await writeFile(join(spoolOf('partly'), 'xlog_incoming'), 'in the way');
  await writeFile(spoolOf('blocked'), 'in the way');
  await mkdir(at('pgdata/pg_wal'), { recursive: true });
  await writeFile(at(`pgdata/pg_wal/${segment}`), 'of a server');
  await daemon.launch();
  const statusOf = async (site: string) => (await (await daemon.request('GET', `/${site}/status`)).json()) as HealthDocument;
  const troubleOf = async (site: string) => (await statusOf(site)).alerts.find(({ name }) => name === 'spool_unusable')?.because;
  const codeOf = async (site: string, method = 'GET') =>
    (await daemon.request(method, `/${site}/archive/${segment}`, { accept: 'application/octet-stream' })).headers.get('x-pghoard-code');

  assert.equal(await codeOf(siteName), 'store-empty', 'the site that is well looks into its store');
  assert.equal(await troubleOf(siteName), undefined);
  for (const site of ['blocked', 'partly']) {
    assert.match((await troubleOf(site)) ?? '', new RegExp(`cannot make the spool directory ${spoolOf('').slice(0, -1)}.*${site}`));
    assert.equal((await statusOf(site)).verdict.is, 'unknown', 'nobody can tell whether it can be restored');
    assert.equal(await codeOf(site), 'spool-unusable', 'nobody is told that there is no such WAL');
    assert.equal((await daemon.request('PUT', `/${site}/archive/${segment}`)).headers.get('x-pghoard-code'), 'spool-unusable');
  }
  assert.equal((await daemon.request('PUT', '/blocked/basebackup')).headers.get('x-pghoard-code'), 'spool-unusable');
  await access(at('pghoard/alerts/spool_unusable'));

  await daemon.reconfigure({ others: { blocked: { ...others.blocked, basebackup_count: 3 } } });
  await writeFile(spoolOf('new'), 'in the way');
  await assert.rejects(daemon.reconfigure({ others: { new: siteIn('new') } }), /not reloaded.*spool/s);
  assert.equal(await codeOf(siteName), 'store-empty');

  await rm(spoolOf('blocked'));
  const isMended = async () => (await troubleOf('blocked')) === undefined;
  await waitFor(isMended, { withinMs: 60_000, what: () => `the site is well:\n${daemon.log}` });
  assert.equal(await codeOf('blocked'), 'store-empty');
  assert((await stat(join(spoolOf('blocked'), 'xlog'))).isDirectory());
  assert.notEqual(await troubleOf('partly'), undefined);
});
