import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

async function archiveWith({ postgres }: TestSite, command: string): Promise<void> {
  await postgres.query(`ALTER SYSTEM SET archive_command = '${command}'`);
  await postgres.query('SELECT pg_reload_conf()');
}

async function waiting({ postgres }: TestSite): Promise<string[]> {
  const names = await readdir(join(postgres.dataDirectory, 'pg_wal', 'archive_status'));
  return names.filter((name) => name.endsWith('.ready')).toSorted();
}

test('a server that has fallen behind finds its segments archived before it asks for them', async () => {
  await using site = await TestSite.start({
    initdb: ['--wal-segsize=1'],
    settings: { archive_command: '', wal_keep_size: '64MB', min_wal_size: '2MB' },
  });
  const names: string[] = [];
  for (let n = 0; n < 10; n++) names.push(await site.postgres.switchWal());
  const [first] = names as [string];
  await archiveWith(site, `[ %f = ${first} ] && ${site.daemon.archiveCommand}`);
  for (const name of names) await site.daemon.archived(name, 20_000);
  assert.deepEqual(
    await waiting(site),
    names.slice(1).map((name) => `${name}.ready`),
    'PostgreSQL got no further than the first one',
  );

  await archiveWith(site, site.daemon.archiveCommand);
  await waitFor(async () => (await waiting(site)).length === 0, { withinMs: 30_000, what: 'PostgreSQL has asked for all of them' });
  for (const name of names) {
    const archived = site.daemon.log.split('\n').filter((line) => line.includes('archived WAL file') && line.includes(name));
    assert.equal(archived.length, 1, `${name} was archived once:\n${site.daemon.log}`);
  }
});
