import assert from 'node:assert/strict';
import { chown, link, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startHttpBench } from '../../../test/support/http-bench.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { makeHistory, makeWalSegment } from '../../../test/support/wal-segment.ts';
import { CodecPool } from '../../codec/pool.ts';
import { OperatorError } from '../../lib/errors.ts';
import { sourceOfBytes } from '../../storage/object-source.ts';
import { openReservedTarget } from './reserved-target.ts';

const pool = new CodecPool(2);
after(() => pool.close());

const segment = '000000010000000000000003';
const bytesWanted = { accept: 'application/octet-stream' };

test('archive: 201 once stored, 201 again, and the file can be asked for by HEAD', async () => {
  await using bench = await startHttpBench(pool);
  await bench.site.write(segment);
  for (const _time of [1, 2]) {
    const { status, text, headers } = await bench.ask('PUT', `/main/archive/${segment}`);
    assert.deepEqual([status, text, headers['server'], headers['content-length']], [201, '', 'pghoard/9.9.9', '0']);
  }
  const head = await bench.ask('HEAD', `/main/archive/${segment}`);
  assert.equal(head.status, 200);
  assert.equal(head.headers['metadata-hash-algorithm'], 'sha1');
  assert.equal(head.headers['metadata-hash'], (await bench.site.store.head(`main/xlog/${segment}`)).metadata['hash']);
  assert.equal((await bench.ask('HEAD', '/main/xlog/000000010000000000000004')).status, 404);
  assert.equal((await bench.ask('HEAD', `/main/archive/${segment}`, { 'x-pghoard-target-path': '/x' })).status, 400);
});

test('archive: what cannot be archived gets the status that says why', async () => {
  await using bench = await startHttpBench(pool);
  assert.equal((await bench.ask('PUT', `/main/archive/${segment}`)).status, 404, 'no such file');
  await bench.site.write(segment);
  await bench.site.archiver.archive(segment, join(bench.site.walDirectory, segment));
  await bench.site.write(segment, { filling: 'other' });
  const conflict = await bench.ask('PUT', `/main/archive/${segment}`);
  assert.deepEqual([conflict.status, conflict.headers['x-pghoard-code']], [409, 'wal-conflict']);
  assert.match(conflict.text, /^wal-conflict: .*\n {2}hint: /);
  await bench.site.writeBytes('000000010000000000000004', makeWalSegment(segment));
  assert.equal((await bench.ask('PUT', '/main/archive/000000010000000000000004')).status, 412);
  for (const name of ['x', 'basebackup.tar', `${segment}~`, '00000001.HISTORY']) {
    const { status, text } = await bench.ask('PUT', `/main/archive/${name}`);
    assert.equal(status, 400, name);
    assert.match(text, /Unrecognized file/);
  }
  assert.equal((await bench.ask('PUT', `/main/timeline/${segment}`)).status, 400, 'a segment is no history');
  assert.equal((await bench.ask('PUT', '/main/xlog/00000002.history')).status, 400, 'a history is no segment');
  assert.equal((await bench.ask('PUT', `/main/archive/${segment}.00000028.backup`)).status, 201);
});

test('archive: history under its own path, and a site without a data directory', async () => {
  await using bench = await startHttpBench(pool);
  await bench.site.write('00000002.history');
  assert.equal((await bench.ask('PUT', '/main/timeline/00000002.history')).status, 201);
  assert.equal((await bench.ask('HEAD', '/main/timeline/00000002.history')).status, 200);
  await rename(join(bench.site.directory, 'pgdata'), join(bench.site.directory, 'gone'));
  const { status, text } = await bench.ask('PUT', `/main/archive/${segment}`);
  assert.equal(status, 404);
  assert.match(text, /no WAL directory/);
});

test('archive: a request that takes too long ends with TIMEOUT, its upload goes on, and a repeat joins it', async () => {
  await using bench = await startHttpBench(pool, { deps: { limits: { archiveWaitMsMax: 50 } } });
  const released = Promise.withResolvers<void>();
  bench.site.store.inject({ operation: 'put', how: 'wait', until: released.promise });
  await bench.site.write(segment);
  const late = await bench.ask('PUT', `/main/archive/${segment}`);
  assert.equal(late.status, 500);
  assert.match(late.text, /TIMEOUT/);
  released.resolve();
  await waitFor(async () => (await bench.ask('PUT', `/main/archive/${segment}`)).status === 201, { withinMs: 30_000, what: 'stored' });
  assert.equal(bench.site.store.count('put'), 1);
});

test('restore: our own client gets the bytes, with what it needs to verify them', async () => {
  await using bench = await startHttpBench(pool);
  await bench.site.archiveNew([segment, '00000002.history']);
  const { status, headers, body } = await bench.ask('GET', `/main/archive/${segment}`, bytesWanted);
  assert.equal(status, 200);
  assert.deepEqual(body, makeWalSegment(segment));
  assert.deepEqual([headers['x-pghoard-size'], headers['x-pghoard-hash-algorithm']], [String(body.length), 'sha1']);
  assert.match(String(headers['x-pghoard-hash']), /^[0-9a-f]{40}$/);
  assert.deepEqual((await bench.ask('GET', '/main/timeline/00000002.history', bytesWanted)).body, makeHistory('00000002.history'));
  await waitFor(async () => (await bench.site.prefetched()).length === 0, { withinMs: 30_000, what: 'served files are removed' });
  const { status: neither, text } = await bench.ask('GET', `/main/archive/${segment}`);
  assert.equal(neither, 400);
  assert.match(text, /x-pghoard-target-path/);
});

test('restore: 404 only for what is proven missing', async () => {
  await using bench = await startHttpBench(pool);
  const unproven = await bench.ask('GET', `/main/archive/${segment}`, bytesWanted);
  assert.deepEqual([unproven.status, unproven.headers['x-pghoard-code']], [503, 'store-empty'], 'nothing is stored at all: not mounted?');
  await bench.site.archiveNew(['000000010000000000000002']);
  const missing = await bench.ask('GET', `/main/archive/${segment}`, bytesWanted);
  assert.deepEqual([missing.status, missing.headers['x-pghoard-code']], [404, 'wal-missing']);
  bench.site.store.inject({ operation: 'get', how: 'refuse' });
  bench.site.store.inject({ operation: 'head', how: 'refuse' });
  assert.equal((await bench.ask('GET', `/main/archive/${segment}`, bytesWanted)).status, 503);
  assert.equal((await bench.ask('HEAD', `/main/archive/${segment}`)).status, 503);
  bench.site.store.heal();
  bench.site.store.inject({ operation: 'get', how: 'refuse', error: new OperatorError('store-denied', 'no', { hint: 'Check the key.' }) });
  const denied = await bench.ask('GET', `/main/archive/${segment}`, bytesWanted);
  assert.equal(denied.status, 500);
  assert.equal(denied.text, 'store-denied: no\n  hint: Check the key.\n');
  bench.site.store.heal();
  await bench.site.archiveNew([segment]);
  const key = `main/xlog/${segment}`;
  const { metadata } = await bench.site.store.head(key);
  await bench.site.store.put(key, sourceOfBytes(Buffer.from('junk')), { metadata });
  const corrupt = await bench.ask('GET', `/main/archive/${segment}`, bytesWanted);
  assert.deepEqual([corrupt.status, corrupt.headers['x-pghoard-code']], [500, 'object-corrupt']);
  const unknown = await bench.ask('GET', `/nosuch/archive/${segment}`, bytesWanted);
  assert.deepEqual([unknown.status, unknown.headers['x-pghoard-code']], [404, 'site-missing']);
});

test('restore: a Python client names its target in the WAL directory, also where that is a link', async () => {
  await using bench = await startHttpBench(pool);
  await bench.site.archiveNew([segment]);
  const { walDirectory, directory } = bench.site;
  const real = join(directory, 'elsewhere');
  await rename(walDirectory, real);
  await symlink(real, walDirectory);
  for (const target of [join(walDirectory, 'RECOVERYXLOG'), join(real, 'RECOVERYXLOG'), join(walDirectory, segment)]) {
    const { status, text } = await bench.ask('GET', `/main/archive/${segment}`, { 'x-pghoard-target-path': target });
    assert.deepEqual([status, text], [201, ''], target);
    assert.deepEqual(await readFile(target), makeWalSegment(segment));
  }
  assert.deepEqual((await readdir(real)).toSorted(), [segment, 'RECOVERYXLOG']);
});

test('restore: our own client gets its file where it has made an empty one, in any directory of the same user', async () => {
  await using bench = await startHttpBench(pool);
  await bench.site.archiveNew([segment]);
  const { directory } = bench.site;
  await symlink('.', join(directory, 'link'));
  const get = (path: string) =>
    bench.ask('GET', `/main/archive/${segment}`, { 'x-pghoard-target-path': path, 'x-pghoard-target-reserved': 'yes' });
  for (const path of [join(directory, 'pgdata/pg_wal/RECOVERYXLOG.1-2.pghoard.tmp'), join(directory, 'link/a b.3-4.pghoard.tmp')]) {
    await writeFile(path, '');
    assert.deepEqual(await get(path).then(({ status, text }) => [status, text]), [201, ''], path);
    assert.deepEqual(await readFile(path), makeWalSegment(segment));
    assert.equal((await get(path)).status, 417, 'it is not empty any more');
  }
  const before = await readdir(directory);
  await writeFile(join(directory, 'victim'), '');
  await symlink('victim', join(directory, 'x.pghoard.tmp'));
  await writeFile(join(directory, 'twice.pghoard.tmp'), '');
  await link(join(directory, 'twice.pghoard.tmp'), join(directory, 'other'));
  for (const name of [
    'victim',
    'x.pghoard.tmp',
    'twice.pghoard.tmp',
    'absent.pghoard.tmp',
    'no/such/y.pghoard.tmp',
    'victim/y.pghoard.tmp',
  ]) {
    const { status, headers } = await get(join(directory, name));
    assert.deepEqual([status, headers['x-pghoard-code']], [417, 'target-not-reserved'], name);
  }
  assert.equal((await get('twice.pghoard.tmp')).status, 417);
  assert.deepEqual((await readdir(directory)).toSorted(), [...before, 'victim', 'x.pghoard.tmp', 'twice.pghoard.tmp', 'other'].toSorted());
  assert.deepEqual(await readFile(join(directory, 'victim')), Buffer.alloc(0));
  await writeFile(join(directory, 'y.pghoard.tmp'), '');
  const somebodyElse = (process.geteuid?.() ?? 0) + 1;
  await assert.rejects(openReservedTarget(join(directory, 'y.pghoard.tmp'), somebodyElse), { code: 'target-not-reserved' });
});

test('restore: a daemon that root runs serves other users, and nobody leads it elsewhere', async () => {
  await using bench = await startHttpBench(pool);
  await bench.site.archiveNew([segment]);
  const place = join(bench.site.directory, 'place');
  const target = join(place, 'x.pghoard.tmp');
  await mkdir(place);
  await writeFile(target, '');
  if (process.geteuid?.() === 0) for (const path of [place, target]) await chown(path, 12_345, 12_345);
  {
    await using reserved = await openReservedTarget(target, 0);
    await rename(place, `${place} moved`);
    await mkdir(join(bench.site.directory, 'precious'));
    await symlink('precious', place);
    await using wal = await bench.site.fetcher.fetch(segment);
    await wal.moveTo(reserved.path);
  }
  assert.deepEqual(await readdir(join(bench.site.directory, 'precious')), []);
  const placed = join(`${place} moved`, 'x.pghoard.tmp');
  assert.deepEqual(await readFile(placed), makeWalSegment(segment));
  assert.equal((await stat(placed)).uid, (await stat(`${place} moved`)).uid);
});

test('restore: nothing outside the WAL directory can be written', async () => {
  await using bench = await startHttpBench(pool);
  await bench.site.archiveNew([segment]);
  const { walDirectory, directory } = bench.site;
  const other = '000000010000000000000009';
  await bench.site.write(other);
  await mkdir(join(directory, 'outside'));
  await writeFile(join(directory, 'outside', 'victim'), 'precious');
  await symlink(join(directory, 'outside'), join(walDirectory, 'way-out'));
  await symlink(join(directory, 'outside', 'victim'), join(walDirectory, 'link'));
  await mkdir(join(walDirectory, 'archive_status'));
  const refused: readonly [string, number][] = [
    [join(directory, 'outside', 'victim'), 400],
    [join(directory, 'pgdata', 'postgresql.auto.conf'), 400],
    [`${walDirectory}/../postgresql.auto.conf`, 400],
    [`${walDirectory}/./RECOVERYXLOG`, 400],
    [`${walDirectory}/way-out/victim`, 400],
    [`${walDirectory}/link`, 400],
    [`${walDirectory}/archive_status`, 400],
    [`${walDirectory}/archive_status/x`, 400],
    [`${walDirectory}/`, 400],
    [walDirectory, 400],
    [`${walDirectory}x/RECOVERYXLOG`, 400],
    [join(walDirectory, other), 400],
    ['pg_wal/RECOVERYXLOG', 400],
    ['', 400],
    ['/', 400],
    [`/${'x'.repeat(5000)}`, 400],
    [`${walDirectory}/no-such-directory/RECOVERYXLOG`, 409],
    ['/no/such/directory/RECOVERYXLOG', 400],
  ];
  for (const [target, expected] of refused) {
    const { status } = await bench.ask('GET', `/main/archive/${segment}`, { 'x-pghoard-target-path': target });
    assert.equal(status, expected, target);
  }
  assert.equal(await readFile(join(directory, 'outside', 'victim'), 'utf8'), 'precious');
  assert.deepEqual(await readFile(join(walDirectory, other)), makeWalSegment(other));
  assert.deepEqual(await readdir(join(directory, 'outside')), ['victim']);
  const twice = await bench.raw(
    `GET /main/archive/${segment} HTTP/1.1\r\nHost: x\r\nx-pghoard-target-path: ${walDirectory}/a\r\nx-pghoard-target-path: /b\r\n\r\n`,
  );
  assert.match(twice, /^HTTP\/1\.1 400 /);
});

test('nothing outside the WAL directory can be read: tricks with paths', async () => {
  await using bench = await startHttpBench(pool);
  const { directory, walDirectory } = bench.site;
  await writeFile(join(directory, 'pgdata', segment), makeWalSegment(segment));
  const tricks = [
    `/main/archive/../${segment}`,
    `/main/archive/..%2f${segment}`,
    `/main/archive/%2e%2e/${segment}`,
    `/main/archive/..\\${segment}`,
    `/main/archive/${segment}%00`,
    `/main/archive/${segment}?x=1`,
    `/main/archive/${segment}#x`,
    `/main/archive//${segment}`,
    `/main/archive/./${segment}`,
    `/main/../main/archive/${segment}`,
    `/main/archive//etc/passwd`,
    `/main/archive/${segment}/`,
    `/main/archive/${segment}/x`,
    `/main/archive/`,
    '/main/archive',
    '/main//',
    '/main',
    '/main/nosuch',
    '/main/constructor/x',
    `http://127.0.0.1/main/archive/${segment}`,
    '*',
    `/main/archive/\xe9`,
    `main/archive/${segment}`,
  ];
  for (const method of ['GET', 'PUT', 'HEAD']) {
    for (const path of tricks) {
      const answer = await bench.raw(`${method} ${path} HTTP/1.1\r\nHost: x\r\nAccept: application/octet-stream\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 400 /, `${method} ${path}`);
    }
  }
  await symlink(join(directory, 'pgdata', segment), join(walDirectory, segment));
  assert.equal((await bench.ask('PUT', `/main/archive/${segment}`)).status, 404, 'a link to a file');
  assert.deepEqual([bench.site.store.count('put'), bench.site.store.count('get')], [0, 0]);
});
