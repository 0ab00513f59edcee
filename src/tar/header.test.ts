import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeTarHeader, type TarMember, tarEnd, tarPaddingOf, tarRecordBytes } from './header.ts';
import { TarReader } from './reader.ts';

const file: TarMember = { path: 'pgdata/base/1/1259', type: 'file', size: 0, mode: 0o600, uid: 101, gid: 104, mtime: 1_700_000_000 };

const members: Readonly<Record<string, TarMember>> = {
  'a file': file,
  'a directory': { ...file, path: 'pgdata/base', type: 'directory', mode: 0o700 },
  'the root': { ...file, path: '/', type: 'directory', mode: 0o700 },
  'a symlink': { ...file, path: 'pgdata/pg_tblspc/16394', type: 'symlink', mode: 0o777, linkTarget: '/srv/space one' },
  'a hardlink': { ...file, path: 'pgdata/b', type: 'hardlink', linkTarget: 'pgdata/a' },
  'names of owners': { ...file, uname: 'postgres', gname: 'postgres' },
  'long names of owners': { ...file, uname: 'p'.repeat(32), gname: 'grüppe' },
  'a name of 99 bytes': { ...file, path: 'n'.repeat(99) },
  'a name of 100 bytes': { ...file, path: 'n'.repeat(100) },
  'a name of 300 bytes with slashes': { ...file, path: `${'d/'.repeat(149)}xx` },
  'a name of 4000 bytes': { ...file, path: 'long'.repeat(1000) },
  'a directory whose slash does not fit': { ...file, path: 'd'.repeat(99), type: 'directory' },
  'unicode in names': { ...file, path: 'tablespaces/žluťoučký kůň/日本/🐘', uname: 'Jürgen' },
  'spaces, quotes, backslashes, newlines': { ...file, path: `a b\t"c" 'd' \\n\n=1\n${'x'.repeat(90)} ` },
  'a long link target': { ...file, path: 'l', type: 'symlink', linkTarget: '/é'.repeat(200) },
  'all permission bits': { ...file, mode: 0o7777 },
  'ids that do not fit': { ...file, uid: 2 ** 31, gid: 2_097_152 },
  'the largest ids that fit': { ...file, uid: 2_097_151, gid: 2_097_151 },
  'before 1970': { ...file, mtime: -86_400 },
  'the far future': { ...file, mtime: 2 ** 40 },
  '8 GiB less a byte': { ...file, size: 2 ** 33 - 1 },
  '8 GiB': { ...file, size: 2 ** 33 },
  '16 TiB and a byte': { ...file, size: 2 ** 44 + 1 },
};

/** What a reader makes of a header alone. */
function readHeader(header: Buffer): TarMember {
  const seen: TarMember[] = [];
  const reader = new TarReader({ member: (member) => void seen.push(member), data: () => {}, end: () => {} });
  assert.equal(reader.update(header), undefined);
  assert.equal(seen.length, 1);
  return seen[0] as TarMember;
}

for (const [what, member] of Object.entries(members)) {
  test(`round trip: ${what}`, () => {
    const header = encodeTarHeader(member);
    assert.equal(header.length % 512, 0);
    assert.deepEqual(readHeader(header), member);
  });
}

test('what fits into one block takes one block', () => {
  for (const what of [
    'a file',
    'a directory',
    'a symlink',
    'names of owners',
    'a name of 99 bytes',
    'the largest ids that fit',
    '8 GiB less a byte',
  ]) {
    assert.equal(encodeTarHeader(members[what] as TarMember).length, 512, what);
  }
});

test('fractions of a second are kept only if asked for', () => {
  const member = { ...file, mtime: 1_700_000_000.123456 };
  assert.equal(encodeTarHeader(member).length, 512);
  assert.equal(readHeader(encodeTarHeader(member)).mtime, 1_700_000_000);
  assert.equal(readHeader(encodeTarHeader(member, { precise: true })).mtime, 1_700_000_000.123456);
  assert.equal(encodeTarHeader(file, { precise: true }).length, 512);
  assert.equal(readHeader(encodeTarHeader({ ...file, mtime: -1.5 })).mtime, -2);
});

test('only files have data', () => {
  assert.equal(readHeader(encodeTarHeader({ ...file, type: 'directory', size: 4096 })).size, 0);
});

const impossible: Readonly<Record<string, Partial<TarMember>>> = {
  'no path': { path: '' },
  'NUL in the path': { path: 'a\0b' },
  'a link without a target': { type: 'symlink' },
  'a file with a target': { linkTarget: 'x' },
  'a negative size': { size: -1 },
  'half a byte': { size: 0.5 },
  'no time': { mtime: Number.NaN },
};

for (const [what, wrong] of Object.entries(impossible)) {
  test(`a bug of the caller: ${what}`, () => {
    assert.throws(() => encodeTarHeader({ ...file, ...wrong }), assert.AssertionError);
  });
}

test('padding and end', () => {
  for (const [size, padding] of [
    [0, 0],
    [1, 511],
    [511, 1],
    [512, 0],
    [513, 511],
  ] as const)
    assert.equal(tarPaddingOf(size), padding);
  for (const before of [0, 512, 8704, 9216, 9728, 10_240]) {
    const end = tarEnd(before);
    assert(end.length >= 1024 && (before + end.length) % tarRecordBytes === 0 && end.length < tarRecordBytes + 1024, String(before));
    assert(end.every((byte) => byte === 0));
  }
});
