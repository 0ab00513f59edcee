import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sealBytes } from '../../src/codec/seal-bytes.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import { encodeTarHeader, tarChecksum, tarEnd, tarField, tarPaddingOf } from '../../src/tar/header.ts';
import { RestoreCommandBench } from '../support/restore-command-bench.ts';
import { clusterMembers, controlMembers, type TestMember, tarOf } from '../support/test-backups.ts';

const ordinary = { uid: 0, gid: 0, mtime: 1_700_000_000, mode: 0o644 };
const cluster = clusterMembers('pgdata/');
const content = 'written by the archive\n';

/** Each is put into a chunk behind the files of a whole cluster. `root` is the directory of the test. */
const hostile: readonly [what: string, code: string, members: (root: string) => readonly TestMember[]][] = [
  ['a way up', 'tar-unsafe', () => [{ path: 'pgdata/../../neighbour/victim', content }]],
  ['a way up and back', 'tar-unsafe', () => [{ path: 'pgdata/base/../base/1/1259', content }]],
  ['an absolute path', 'tar-unsafe', (root) => [{ path: join(root, 'host/neighbour/victim'), content }]],
  ['an absolute path behind the prefix', 'tar-unsafe', (root) => [{ path: `pgdata/${join(root, 'host/neighbour/victim')}`, content }]],
  ['a folder that begins like the right one', 'tar-unsafe', () => [{ path: 'pgdatax/x', content }]],
  ['a tablespace that nobody knows', 'tar-unsafe', () => [{ path: 'tablespaces/unknown/PG_15_1/x', content }]],
  [
    'a link to a tablespace that nobody knows',
    'tablespace-missing',
    () => [{ path: 'pgdata/pg_tblspc/99', type: 'symlink', linkTarget: '/etc' }],
  ],
  ['the mark of unfinished restores', 'tar-unsafe', () => [{ path: 'pgdata/pghoard_restore_incomplete', content }]],
  [
    'a control file that is a link',
    'tar-unsafe',
    () => [{ path: 'pgdata//global/pg_control', type: 'symlink', linkTarget: '/etc/passwd' }],
  ],
  [
    'a hard link to the outside',
    'tar-unsafe',
    (root) => [{ path: 'pgdata/base/hard', type: 'hardlink', linkTarget: join(root, 'host/neighbour/victim') }],
  ],
  ['a hard link up', 'tar-unsafe', () => [{ path: 'pgdata/base/hard', type: 'hardlink', linkTarget: 'pgdata/../../neighbour/victim' }]],
  [
    'the data directory as a link',
    'tar-unsafe',
    (root) => [{ path: 'pgdata/.', type: 'symlink', linkTarget: join(root, 'host/neighbour') }],
  ],
  ['a file below a file', 'tar-unsafe', () => [{ path: 'pgdata/PG_VERSION/x', content }]],
  [
    'a name that is too long',
    'tar-unsafe|write-failed|disk-write-failed|target-write-failed',
    () => [{ path: `pgdata/${'n'.repeat(300)}`, content }],
  ],
];

test('archives that would write elsewhere are refused, and nothing but the target is touched', async () => {
  await using bench = await RestoreCommandBench.make();
  await bench.backups.addChunked({ name: 'good', chunks: [cluster] });
  for (const [index, [what, code, members]] of hostile.entries()) {
    const name = `hostile-${index}`;
    await bench.backups.addChunked({ name, chunks: [[...cluster, ...members(bench.root)]] });
    await bench.assertRefuses({ code: new RegExp(code) }, what, {}, ['--basebackup', name]);
  }
  await bench.assertRestores({}, ['--basebackup', 'good']);
});

test('links of an archive come last: nothing is written through them, and nothing that they lead to is changed', async () => {
  await using bench = await RestoreCommandBench.make();
  const outside = join(bench.root, 'host', 'neighbour');
  const tricks: readonly [string, readonly TestMember[]][] = [
    [
      'a link, then a file below it',
      [
        { path: 'pgdata/way', type: 'symlink', linkTarget: outside },
        { path: 'pgdata/way/victim', content },
      ],
    ],
    [
      'a file, then a link in its place',
      [
        { path: 'pgdata/f', content },
        { path: 'pgdata/f', type: 'symlink', linkTarget: join(outside, 'victim') },
      ],
    ],
    [
      'a link, then a file in its place',
      [
        { path: 'pgdata/f', type: 'symlink', linkTarget: join(outside, 'victim') },
        { path: 'pgdata/f', content },
      ],
    ],
    [
      'a link below a link',
      [
        { path: 'pgdata/a', type: 'symlink', linkTarget: outside },
        { path: 'pgdata/a/b', type: 'symlink', linkTarget: '/etc' },
      ],
    ],
    ['settings that are a link', [{ path: 'pgdata/postgresql.auto.conf', type: 'symlink', linkTarget: join(outside, 'victim') }]],
    ['recovery.signal that is a link', [{ path: 'pgdata/recovery.signal', type: 'symlink', linkTarget: join(outside, 'made') }]],
    ['a name with a newline', [{ path: 'pgdata/base/a\nb', content }]],
    ['wide modes and a setuid bit', [{ path: 'pgdata/base/suid', content, mode: 0o6777 }]],
  ];
  for (const [index, [what, members]] of tricks.entries()) {
    const name = `trick-${index}`;
    const plain = cluster.filter(({ path }) => !members.some((member) => member.path === path));
    await bench.backups.addChunked({ name, chunks: [[...plain, ...members]] });
    const before = outsideOf(bench);
    const result = await bench.restore({}, ['--basebackup', name]);
    assert.ok(result.code === 0 || result.code === 1, what);
    assert.deepEqual(outsideOf(bench), before, `${what}\n${result.stdout}${result.stderr}`);
    if (result.code === 1) assert.ok(!existsSync(join(bench.target, 'global/pg_control')), what);
    assert.ok(!bench.surroundings.some((line) => / 104\d{4}| 102\d{4}| 106\d{4}/.test(line)), `${what}: a setuid or setgid bit`);
  }
});

function outsideOf(bench: RestoreCommandBench): string[] {
  return bench.surroundings.filter((line) => !line.startsWith('host/target'));
}

/** An archive as far as its last member, without an end. */
function openTarOf(members: readonly TestMember[]): Buffer {
  const bytes = members.reduce((sum, { content: data = '' }) => sum + 512 + data.length + tarPaddingOf(data.length), 0);
  return tarOf(members).subarray(0, bytes);
}

test('archives that lie about themselves are refused', async () => {
  await using bench = await RestoreCommandBench.make();
  const manifest = { path: '.pghoard_tar_metadata.json', content: JSON.stringify({ tablespaces: {}, chunks: [] }) };
  const begin = openTarOf([manifest, ...controlMembers, ...cluster]);
  const header = (member: object) => encodeTarHeader({ path: 'pgdata/x', type: 'file', size: 0, ...ordinary, ...member });
  const typed = (flag: string) => {
    const bytes = header({});
    bytes.write(flag, tarField.typeflag[0]);
    bytes.write(`${tarChecksum(bytes).toString(8).padStart(6, '0')}\0 `, tarField.checksum[0]);
    return bytes;
  };
  const archives: readonly [string, string, Buffer][] = [
    ['10 GiB that do not come', 'tar-corrupt', Buffer.concat([header({ size: 10 * 1024 ** 3 }), Buffer.alloc(512)])],
    ['a device', 'tar-unsupported', Buffer.concat([typed('3'), tarEnd(512)])],
    ['a sparse file', 'tar-unsupported', Buffer.concat([typed('S'), tarEnd(512)])],
    ['no end', 'tar-corrupt', Buffer.alloc(0)],
    ['gibberish', 'tar-corrupt', Buffer.alloc(512, 'gibberish ')],
    ['something behind the end', 'tar-corrupt', Buffer.concat([tarEnd(begin.length), tarOf([{ path: 'pgdata/late', content }])])],
  ];
  for (const [index, [what, code, rest]] of archives.entries()) {
    const name = `lie-${index}`;
    const plain = Buffer.concat([begin, rest]);
    const sealed = await sealBytes(plain, { compression: { algorithm: 'snappy', level: 0 } });
    await bench.backups.store.put(bench.backups.keys.basebackupMain(name), sourceOfBytes(sealed), {
      metadata: {
        'compression-algorithm': 'snappy',
        'start-time': '2026-11-22T10:00:00+00:00',
        'start-wal-segment': '000000010000000000000003',
        'original-file-size': String(plain.length),
        format: 'pghoard-bb-v2',
      },
    });
    await bench.assertRefuses({ code: new RegExp(code) }, what, {}, ['--basebackup', name]);
  }
});

test('manifests that lead elsewhere are refused', async () => {
  await using bench = await RestoreCommandBench.make();
  await bench.backups.addChunked({ name: 'good', chunks: [cluster] });
  const chunk = { input_size: 1, result_size: 1, files: [] };
  const victims = join(bench.root, 'host', 'neighbour');
  const manifests: readonly [string, string, string][] = [
    ['a chunk outside', 'manifest-invalid', JSON.stringify({ chunks: [{ ...chunk, chunk_filename: '../good' }] })],
    [
      'a chunk far outside',
      'manifest-invalid',
      JSON.stringify({ chunks: [{ ...chunk, chunk_filename: '../../../host/neighbour/victim' }] }),
    ],
    ['negative sizes', 'manifest-invalid', JSON.stringify({ chunks: [{ ...chunk, chunk_filename: 'a/b', result_size: -1 }] })],
    ['a tablespace over the neighbour', 'target-not-empty', JSON.stringify({ tablespaces: { ts: { oid: 1, path: victims } }, chunks: [] })],
    [
      'a tablespace in the target',
      'target-overlap|target-missing',
      JSON.stringify({ tablespaces: { ts: { oid: 1, path: join(bench.target, 'base') } }, chunks: [] }),
    ],
    ['a relative tablespace', 'tablespace-unmapped', JSON.stringify({ tablespaces: { ts: { oid: 1, path: '../x' } }, chunks: [] })],
    ['no JSON', 'manifest-invalid', '{"chunks": [}'],
    ['deep nesting', 'manifest-invalid', '['.repeat(100_000)],
    ['not UTF-8', 'manifest-invalid', '{"chunks": "\ud800"}'],
  ];
  for (const [index, [what, code, manifest]] of manifests.entries()) {
    const name = `manifest-${index}`;
    await bench.backups.putArchive(
      bench.backups.keys.basebackupMain(name),
      [{ path: '.pghoard_tar_metadata.json', content: manifest }, ...controlMembers, ...cluster],
      {},
      { 'start-time': '2026-11-22T10:00:00+00:00', 'start-wal-segment': '000000010000000000000003', format: 'pghoard-bb-v2' },
    );
    await bench.assertRefuses({ code: new RegExp(code) }, what, {}, ['--basebackup', name]);
  }
  await bench.assertRestores({}, ['--basebackup', 'good']);
});
