import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { encodeTarHeader, type TarMember, tarChecksum, tarEnd, tarPaddingOf } from './header.ts';
import { encodePaxRecords } from './pax.ts';
import { TarReader } from './reader.ts';

interface Entry {
  readonly member: TarMember;
  readonly content: string;
}

/** Hands the archive over in pieces of `pieceBytes`; each piece is overwritten afterwards, as a reused buffer would be. */
async function read(archive: Buffer, pieceBytes = archive.length, wait: () => void | Promise<void> = () => {}): Promise<Entry[]> {
  const entries: Entry[] = [];
  let open: { member: TarMember; content: string } | undefined;
  const reader = new TarReader({
    member(member) {
      assert.equal(open, undefined, 'a member begins before the last one has ended');
      open = { member, content: '' };
      return wait();
    },
    data(bytes) {
      assert(open && bytes.length > 0);
      open.content += Buffer.from(bytes).toString('latin1');
      return wait();
    },
    end() {
      assert(open);
      assert.equal(open.content.length, open.member.size);
      entries.push(open);
      open = undefined;
      return wait();
    },
  });
  for (let start = 0; start < archive.length; start += pieceBytes) {
    const piece = Buffer.from(archive.subarray(start, start + pieceBytes));
    await reader.update(piece);
    piece.fill(0xaa);
  }
  reader.finish();
  assert.equal(open, undefined);
  return entries;
}

const base: TarMember = { path: 'a', type: 'file', size: 0, mode: 0o600, uid: 1, gid: 2, mtime: 1000 };

function entry(member: Partial<TarMember>, content = ''): Buffer {
  return Buffer.concat([encodeTarHeader({ ...base, ...member, size: content.length }), padded(Buffer.from(content, 'latin1'))]);
}

function padded(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc(tarPaddingOf(body.length))]);
}

function archiveOf(...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([body, tarEnd(body.length)]);
}

/** A header block with bytes changed by hand and its checksum made right again. */
function forged(change: (block: Buffer) => void, member: Partial<TarMember> = {}): Buffer {
  const block = encodeTarHeader({ ...base, ...member });
  change(block);
  block.write(`${tarChecksum(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function special(typeflag: string, body: Buffer, size = body.length): Buffer {
  const block = forged((header) => {
    header.write(typeflag, 156, 'latin1');
    header.write(size.toString(8).padStart(11, '0'), 124, 'latin1');
  });
  return Buffer.concat([block, padded(body)]);
}

function pax(...records: readonly (readonly [string, string])[]): Buffer {
  return special('x', encodePaxRecords(records));
}

const sampleMembers = Buffer.concat([
  entry({ path: 'dir', type: 'directory' }),
  entry({ path: `dir/${'long'.repeat(60)}` }, 'x'.repeat(700)),
  entry({ path: 'empty' }),
  entry({ path: 'whole block' }, 'y'.repeat(512)),
  entry({ path: 'link', type: 'symlink', linkTarget: 'dir' }),
]);
const sample = archiveOf(sampleMembers);

for (const pieceBytes of [1, 2, 7, 511, 512, 513, 1023, 1024, 10_000]) {
  test(`pieces of ${pieceBytes} bytes make no difference`, async () => {
    const whole = await read(sample);
    assert.deepEqual(
      whole.map(({ content }) => content.length),
      [0, 700, 0, 512, 0],
    );
    assert.deepEqual(await read(sample, pieceBytes), whole);
    assert.deepEqual(await read(sample, pieceBytes, () => new Promise(setImmediate)), whole);
  });
}

test('a handler that does not wait makes a reader that does not wait', () => {
  const reader = new TarReader({ member: () => {}, data: () => {}, end: () => {} });
  assert.equal(reader.update(sample), undefined);
  reader.finish();
});

test('what the handler throws comes out of update', async () => {
  for (const failing of ['member', 'data', 'end'] as const) {
    const boom = new Error(failing);
    const handler = { member: () => {}, data: () => {}, end: () => {} };
    const throwing = new TarReader({
      ...handler,
      [failing]: () => {
        throw boom;
      },
    });
    assert.throws(() => throwing.update(sample), boom);
    const rejecting = new TarReader({ ...handler, [failing]: () => Promise.reject(boom) });
    await assert.rejects(async () => rejecting.update(sample), boom);
  }
});

test('an update during an update is a bug', async () => {
  const reader = new TarReader({ member: () => new Promise(setImmediate), data: () => {}, end: () => {} });
  const first = reader.update(sample);
  assert.throws(() => reader.update(sample), assert.AssertionError);
  await first;
});

test('truncation is noticed at every single byte', async () => {
  const whole = await read(sample);
  for (let length = 0; length < sample.length; length++) {
    const outcome = await read(sample.subarray(0, length), 4096).catch((error: unknown) => error);
    const hasEndMark = length >= sampleMembers.length + 512;
    if (hasEndMark) assert.deepEqual(outcome, whole, `${length} bytes`);
    else assert(isOperatorError(outcome, 'tar-corrupt'), `${length} bytes: ${String(outcome)}`);
  }
});

test('every flipped bit of a header is noticed', async () => {
  const archive = archiveOf(entry({ path: 'name' }, 'content'));
  const whole = await read(archive);
  for (let bit = 0; bit < 512 * 8; bit++) {
    const damaged = Buffer.from(archive);
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    const outcome = await read(damaged).catch((error: unknown) => error);
    // Within the checksum itself a zero may become a space, which says the same.
    if (Array.isArray(outcome)) assert.deepEqual([outcome, bit >> 3 >= 148 && bit >> 3 < 156], [whole, true], `byte ${bit >> 3}`);
    else assert(isOperatorError(outcome, 'tar-corrupt'), String(outcome));
  }
});

const corrupt: Readonly<Record<string, Buffer>> = {
  nothing: Buffer.alloc(0),
  garbage: Buffer.alloc(2048, 'garbage '),
  'letters as size': archiveOf(forged((block) => block.write('12x', 124))),
  'a negative size': archiveOf(forged((block) => block.fill(0xff, 124, 136))),
  'a size beyond all disks': archiveOf(forged((block) => block.fill(0x7f, 125, 136).writeUInt8(0x80, 124))),
  'a member without a name': archiveOf(forged((block) => block.fill(0, 0, 100))),
  'a link without a target': archiveOf(forged((block) => block.write('2', 156))),
  'a directory with data': archiveOf(
    forged((block) => block.write('5', 156), { size: 5 }),
    Buffer.alloc(512),
  ),
  'bytes behind the end': Buffer.concat([sample, sample]),
  'a name without a member': archiveOf(special('L', Buffer.from('lost\0'))),
  'a pax header without a member': archiveOf(pax(['path', 'lost'])),
  'a pax record longer than its header': archiveOf(special('x', Buffer.from('30 path=x\n')), entry({})),
  'a pax record too short for itself': archiveOf(special('x', Buffer.from('3 path=x\n')), entry({})),
  'a pax record of length zero': archiveOf(special('x', Buffer.from('0 path=x\n')), entry({})),
  'a pax record of huge length': archiveOf(special('x', Buffer.from('99999999999999999999 path=x\n')), entry({})),
  'a pax record without a length': archiveOf(special('x', Buffer.from('path=x\n')), entry({})),
  'a pax record with a negative length': archiveOf(special('x', Buffer.from('-9 path=x\n')), entry({})),
  'a pax record without a value': archiveOf(special('x', Buffer.from('7 path\n')), entry({})),
  'a pax record without a keyword': archiveOf(special('x', Buffer.from('6 =xx\n')), entry({})),
  'a pax record without a line end': archiveOf(special('x', Buffer.from('9 path=xy')), entry({})),
  'a pax size in letters': archiveOf(pax(['size', 'big']), entry({})),
  'a negative pax size': archiveOf(pax(['size', '-5']), entry({})),
  'half a byte by pax': archiveOf(pax(['size', '0.5']), entry({})),
  'a pax size beyond all disks': archiveOf(pax(['size', '99999999999999999999']), entry({})),
  'a pax uid in letters': archiveOf(pax(['uid', '0x10']), entry({})),
  'NUL in a pax path': archiveOf(pax(['path', 'etc\0/passwd']), entry({})),
  'a pax size that claims more than there is': archiveOf(pax(['size', '1000000']), entry({}, 'short')),
};

for (const [what, archive] of Object.entries(corrupt)) {
  test(`corrupt: ${what}`, async () => {
    for (const pieceBytes of [1, 300, archive.length]) {
      await assert.rejects(read(archive, Math.max(pieceBytes, 1)), (error) => isOperatorError(error, 'tar-corrupt'));
    }
  });
}

const unsupported: Readonly<Record<string, Buffer>> = {
  'a character device': archiveOf(forged((block) => block.write('3', 156))),
  'a block device': archiveOf(forged((block) => block.write('4', 156))),
  'a named pipe': archiveOf(forged((block) => block.write('6', 156))),
  'an old sparse file': archiveOf(forged((block) => block.write('S', 156))),
  'a pax sparse file': archiveOf(pax(['GNU.sparse.major', '1']), entry({})),
  'an unknown type': archiveOf(forged((block) => block.write('Z', 156))),
  'a name of more than a megabyte': archiveOf(special('L', Buffer.alloc(512), 2 ** 20 + 1)),
  'a pax header of 8 GiB': archiveOf(special('x', Buffer.alloc(512), 2 ** 33 - 1)),
  'a name that is not UTF-8': archiveOf(forged((block) => block.write('caf\xe9', 0, 'latin1'))),
};

for (const [what, archive] of Object.entries(unsupported)) {
  test(`unsupported: ${what}`, async () => {
    await assert.rejects(read(archive), (error) => isOperatorError(error, 'tar-unsupported'));
  });
}

const dialects: readonly (readonly [what: string, archive: Buffer, expected: Partial<TarMember>, content?: string])[] = [
  ['V7: no magic, NUL as type', forged((block) => block.fill(0, 156, 512)), { path: 'a', type: 'file' }],
  ['V7: a slash makes a directory', forged((block) => block.fill(0, 156, 512).write('dir/')), { path: 'dir', type: 'directory' }],
  ['ustar prefix', forged((block) => block.write('some/prefix', 345)), { path: 'some/prefix/a' }],
  [
    'GNU has times where POSIX has the prefix',
    forged((block) => block.write('ustar  \0', 257) && block.write('15000000000', 345)),
    { path: 'a' },
  ],
  ['GNU long name', Buffer.concat([special('L', Buffer.from(`${'n'.repeat(300)}\0`)), entry({})]), { path: 'n'.repeat(300) }],
  [
    'GNU long link',
    Buffer.concat([special('K', Buffer.from(`${'t'.repeat(300)}\0`)), entry({ type: 'symlink', linkTarget: 'x' })]),
    { linkTarget: 't'.repeat(300) },
  ],
  [
    'GNU big size',
    Buffer.concat([
      forged((block) => {
        block.fill(0, 124, 136);
        block.writeUInt8(0x80, 124);
        block.writeUInt8(3, 135);
      }),
      padded(Buffer.from('abc')),
    ]),
    { size: 3 },
    'abc',
  ],
  [
    'GNU time before 1970',
    forged((block) => {
      block.fill(0xff, 136, 148);
    }),
    { mtime: -1 },
  ],
  ['numbers with leading spaces', forged((block) => block.write('   644 ', 100)), { mode: 0o644 }],
  ['empty number fields', forged((block) => block.fill(0, 108, 124)), { uid: 0, gid: 0 }],
  ['a contiguous file', forged((block) => block.write('7', 156)), { type: 'file' }],
  [
    'a size on a hardlink says nothing',
    forged((block) => block.write('00000000005', 124), { type: 'hardlink', linkTarget: 'b' }),
    { type: 'hardlink', size: 0 },
  ],
  [
    'pax overrides',
    Buffer.concat([
      pax(['path', 'p'], ['size', '3'], ['uid', '3000000000'], ['mtime', '12.5'], ['uname', 'é'], ['comment', 'x']),
      forged(() => {}),
      padded(Buffer.from('abc')),
    ]),
    { path: 'p', size: 3, uid: 3e9, mtime: 12.5, uname: 'é' },
    'abc',
  ],
  ['pax: the last record of a keyword counts', Buffer.concat([pax(['path', 'p'], ['path', 'q']), entry({})]), { path: 'q' }],
  ['pax: an empty value takes nothing', Buffer.concat([pax(['path', '']), entry({})]), { path: 'a' }],
  [
    'pax: values hold line ends and equals signs',
    Buffer.concat([pax(['path', 'a=b\n12 path=c\n']), entry({})]),
    { path: 'a=b\n12 path=c\n' },
  ],
  ['an empty pax header', Buffer.concat([special('x', Buffer.alloc(0)), entry({})]), { path: 'a' }],
  ['checksum of signed bytes', signedChecksum(), { path: 'é' }],
];

function signedChecksum(): Buffer {
  const block = forged((header) => header.write('é', 0));
  const sum = tarChecksum(block) - 2 * 256;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

for (const [what, bytes, expected, content = ''] of dialects) {
  test(`dialect: ${what}`, async () => {
    for (const pieceBytes of [1, 10_240]) {
      const [only, ...more] = await read(archiveOf(bytes), pieceBytes);
      assert.deepEqual(more, []);
      assert.deepEqual({ ...only?.member, ...expected }, only?.member);
      assert.equal(only?.content, content);
    }
  });
}

function globalUname(uname: string): Buffer {
  return special('g', encodePaxRecords([['uname', uname]]));
}

test('overrides end with their member, global ones stay until replaced', async () => {
  const entries = await read(
    archiveOf(
      pax(['path', 'renamed']),
      entry({}),
      entry({ path: 'b' }),
      globalUname('one'),
      entry({ path: 'c' }),
      pax(['uname', 'own']),
      entry({ path: 'd' }),
      globalUname('two'),
      entry({ path: 'e' }),
    ),
  );
  assert.deepEqual(
    entries.map(({ member }) => [member.path, member.uname]),
    [
      ['renamed', undefined],
      ['b', undefined],
      ['c', 'one'],
      ['d', 'own'],
      ['e', 'two'],
    ],
  );
});

test('a lone zero block ends an archive too', async () => {
  assert.equal((await read(Buffer.concat([entry({}), Buffer.alloc(512)]))).length, 1);
});

test('paths are handed on unjudged', async () => {
  const paths = ['/etc/passwd', '../up', './here', 'a//b', '.'];
  const entries = await read(archiveOf(...paths.map((path) => entry({ path }))));
  assert.deepEqual(
    entries.map(({ member }) => member.path),
    paths,
  );
});
