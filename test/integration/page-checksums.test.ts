import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

const pageBytes = 8192;
const block = 3;

test('a page with a wrong checksum, whatever the mode: the base backup is complete all the same, the page is told of, and it is over once it is mended', async () => {
  await using site = await TestSite.start({ initdb: ['--data-checksums'], site: { basebackup_mode: 'pipe' } });
  const { postgres, daemon } = site;
  const [row] = await postgres.query(`CREATE TABLE numbers AS SELECT generate_series(1, 5000) AS number`).then(async () => {
    await postgres.query('CHECKPOINT');
    return postgres.query(`SELECT pg_relation_filepath('numbers') AS path`);
  });
  const path = String(row?.['path']);
  const file = join(postgres.dataDirectory, path);
  const alert = join(daemon.directory, 'alerts', 'page_checksum_errors');
  const ways = [
    { basebackup_mode: 'pipe' },
    { basebackup_mode: 'stream' },
    { basebackup_mode: 'local-tar' },
    { basebackup_mode: 'local-tar', basebackup_format: 'pghoard-bb-v1' },
    // As an object of its own, and in a bundle.
    { basebackup_mode: 'delta', basebackup_format: undefined, basebackup_delta_mode_min_delta_file_size: 100_000 },
    { basebackup_mode: 'delta', basebackup_delta_mode_min_delta_file_size: 100_000_000 },
  ];
  for (const way of ways) {
    const mode = JSON.stringify(way);
    await daemon.reconfigure({ site: way });
    const page = await exchange(file, Buffer.alloc(64, 'damage'));
    const logged = daemon.log.length;
    await site.basebackup();
    await waitFor(() => existsSync(alert), { withinMs: 30_000, what: () => `the alert is raised (${mode}):\n${daemon.log}` });
    const told = `holds pages with wrong checksums: ${path}, block ${block}`;
    assert.ok(daemon.log.slice(logged).includes(told), `${mode}: ${told}\n${daemon.log.slice(logged)}`);
    assert.doesNotMatch(daemon.log.slice(logged), new RegExp(`${path}, block (?!${block}\\b)`), 'no other page is told of');

    await exchange(file, page);
    await site.basebackup();
    await waitFor(() => !existsSync(alert), { withinMs: 30_000, what: () => `the alert goes (${mode}):\n${daemon.log}` });
  }
  await site.archiveAll();
  await using restored = await site.recovered('restored');
  assert.deepEqual(await restored.query('SELECT count(*)::int AS count FROM numbers'), [{ count: 5000 }]);
});

test('a backup with a damaged page can be restored whole', async () => {
  await using site = await TestSite.start({ initdb: ['--data-checksums'], site: { basebackup_mode: 'basic' } });
  const { postgres } = site;
  await postgres.query(`CREATE TABLE good AS SELECT generate_series(1, 5000) AS number`);
  await postgres.query(`CREATE TABLE bad AS SELECT * FROM good`);
  await postgres.query('CHECKPOINT');
  const [row] = await postgres.query(`SELECT pg_relation_filepath('bad') AS path`);
  await exchange(join(postgres.dataDirectory, String(row?.['path'])), Buffer.alloc(64, 'damage'));
  await site.basebackup();
  await site.archiveAll();
  await using restored = await site.recovered('restored');
  assert.deepEqual(await restored.query('SELECT count(*)::int AS count FROM good'), [{ count: 5000 }]);
  await assert.rejects(restored.query('SELECT count(*) FROM bad'), /invalid page in block 3/);
});

/** Puts bytes into the middle of a page, past the server, and returns those that were there. */
async function exchange(path: string, bytes: Buffer): Promise<Buffer> {
  await using file = await open(path, 'r+');
  const position = block * pageBytes + pageBytes / 2;
  const { buffer } = await file.read(Buffer.alloc(bytes.length), 0, bytes.length, position);
  await file.write(bytes, 0, bytes.length, position);
  return buffer;
}
