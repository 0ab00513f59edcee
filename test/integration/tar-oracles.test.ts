import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { extract, type Header, pack } from 'tar-stream';
import { encodeTarHeader, type TarMember, tarEnd, tarPaddingOf } from '../../src/tar/header.ts';
import { TarReader } from '../../src/tar/reader.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';

const file: TarMember = { path: 'pgdata/base/1/1259', type: 'file', size: 0, mode: 0o600, uid: 101, gid: 104, mtime: 1_700_000_000 };

const written: readonly TarMember[] = [
  file,
  { ...file, path: 'pgdata/base', type: 'directory', mode: 0o700 },
  { ...file, path: 'pgdata/pg_tblspc/16394', type: 'symlink', mode: 0o777, linkTarget: '/srv/space one' },
  { ...file, path: `${'d/'.repeat(149)}xx` },
  { ...file, path: 'long'.repeat(60) },
  { ...file, path: 'tablespaces/žluťoučký kůň/日本/🐘', uname: 'Jürgen' },
  { ...file, path: `a b "c" 'd' \\n =1 ` },
  { ...file, path: 'l', type: 'symlink', linkTarget: '/é'.repeat(200) },
  { ...file, path: 'others', uid: 2 ** 31, gid: 2_097_152 },
];

function contentOf(member: TarMember): Buffer {
  return Buffer.from(member.type === 'file' ? `content of ${member.path}` : '');
}

function archive(): Buffer {
  const parts = written.flatMap((member) => {
    const content = contentOf(member);
    return [encodeTarHeader({ ...member, size: content.length }), content, Buffer.alloc(tarPaddingOf(content.length))];
  });
  const body = Buffer.concat(parts);
  return Buffer.concat([body, tarEnd(body.length)]);
}

test('tar-stream reads what we write', async () => {
  const seen: { header: Header; content: string }[] = [];
  const extractor = extract();
  extractor.end(archive());
  for await (const entry of extractor) {
    const content: Buffer[] = [];
    for await (const chunk of entry) content.push(chunk as Buffer);
    seen.push({ header: entry.header, content: Buffer.concat(content).toString() });
  }
  assert.equal(seen.length, written.length);
  for (const [index, member] of written.entries()) {
    const { header, content } = seen[index] as (typeof seen)[number];
    assert.equal(header.name, member.type === 'directory' ? `${member.path}/` : member.path);
    assert.deepEqual([header.type, header.mode, header.linkname], [member.type, member.mode, member.linkTarget ?? null], member.path);
    assert.equal(content, contentOf(member).toString());
    assert.equal(header.mtime?.getTime(), member.mtime * 1000);
    // It takes no notice of owners in pax headers.
    if (member.uid < 2 ** 21) assert.deepEqual([header.uid, header.gid], [member.uid, member.gid], member.path);
  }
});

test('GNU tar reads what we write', () => {
  const options = ['--verbose', '--numeric-owner', '--full-time', '--utc', '--quoting-style=literal'];
  const result = spawnSync('tar', ['--list', ...options, '-f', '-'], {
    input: archive(),
    env: { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
  });
  const listing = result.stdout.toString();
  assert.equal(result.status, 0, result.stderr.toString());
  assert.equal(result.stderr.toString(), '');
  for (const { path, type, linkTarget } of written) {
    const name = type === 'directory' ? `${path}/` : path;
    assert(listing.includes(linkTarget === undefined ? name : `${name} -> ${linkTarget}`), `${path} is not in the listing`);
  }
  assert.match(listing, /^-rw------- 101\/104 +29 2023-11-14 22:13:20 pgdata\/base\/1\/1259$/m);
  assert.match(listing, /2147483648\/2097152 .* others$/m);
});

test('we read what tar-stream writes', async () => {
  const packer = pack();
  const names = ['plain', 'é'.repeat(120), `${'d/'.repeat(100)}f`, 'with space'];
  for (const name of names) packer.entry({ name, mtime: new Date(5000), uid: 7 }, `content of ${name.length}`);
  packer.entry({ name: 'link', type: 'symlink', linkname: 'l'.repeat(150) });
  packer.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of packer) chunks.push(chunk as Buffer);
  const seen = await readAll(Buffer.concat(chunks));
  assert.deepEqual([...seen.keys()], [...names, 'link']);
  for (const name of names) assert.equal(seen.get(name)?.content, `content of ${name.length}`);
  assert.equal(seen.get('plain')?.member.uid, 7);
  assert.equal(seen.get('plain')?.member.mtime, 5);
  assert.equal(seen.get('link')?.member.linkTarget, 'l'.repeat(150));
});

for (const format of ['v7', 'oldgnu', 'gnu', 'ustar', 'posix']) {
  test(`we read what GNU tar writes: --format=${format}`, async () => {
    await using directory = await makeTemporaryDirectory();
    const folder = 'd'.repeat(format === 'v7' ? 10 : 90);
    const long = `${folder}/${'n'.repeat(format === 'v7' || format === 'ustar' ? 70 : 200)}`;
    await mkdir(join(directory.path, folder));
    await writeFile(join(directory.path, long), 'long');
    await writeFile(join(directory.path, 'empty'), '');
    await writeFile(join(directory.path, 'sparse'), '');
    await truncate(join(directory.path, 'sparse'), 100_000);
    await symlink('empty', join(directory.path, 'link'));
    const result = spawnSync('tar', ['--create', `--format=${format}`, '--sort=name', '-C', directory.path, '.'], { maxBuffer: 1 << 24 });
    assert.equal(result.status, 0, result.stderr.toString());
    const seen = await readAll(result.stdout);
    assert.equal(seen.get(`./${long}`)?.content, 'long');
    assert.equal(seen.get('./empty')?.member.size, 0);
    assert.equal(seen.get('./sparse')?.content, '\0'.repeat(100_000));
    assert.equal(seen.get('./link')?.member.linkTarget, 'empty');
    assert.equal(seen.get('.')?.member.type, 'directory');
  });
}

async function readAll(bytes: Buffer): Promise<Map<string, { member: TarMember; content: string }>> {
  const seen = new Map<string, { member: TarMember; content: string }>();
  let current = { member: file, content: '' };
  const reader = new TarReader({
    member: (member) => void seen.set(member.path, (current = { member, content: '' })),
    data: (piece) => void (current.content += Buffer.from(piece).toString()),
    end: () => {},
  });
  for (let start = 0; start < bytes.length; start += 1000) await reader.update(bytes.subarray(start, start + 1000));
  reader.finish();
  return seen;
}
