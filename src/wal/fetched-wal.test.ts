import assert from 'node:assert/strict';
import { link, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { giveAway, placeFile } from './fetched-wal.ts';

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

test('only the very file that was made is given away: no link in its place, and nothing that has another name too', async () => {
  await using directory = await makeTemporaryDirectory();
  const [secret, made, replaced, twice] = ['secret', 'made', 'replaced', 'twice'].map((name) => join(directory.path, name)) as [
    string,
    string,
    string,
    string,
  ];
  await writeFile(secret, 'x');
  await writeFile(made, 'x');
  await symlink(secret, replaced);
  await giveAway(made, owner);
  await link(secret, twice);
  await assert.rejects(giveAway(replaced, owner), { code: 'ELOOP' });
  await assert.rejects(giveAway(twice, owner), /not the file that was made/);
});

test('a file is moved, or copied where others still read it', async () => {
  await using directory = await makeTemporaryDirectory();
  const [from, to] = [join(directory.path, 'from'), join(directory.path, 'to')];
  await writeFile(from, 'content');
  await placeFile(from, to, false);
  assert.equal(await readFile(to, 'utf8'), 'content');
  assert.equal(await readFile(from, 'utf8'), 'content');
  await placeFile(from, to, true);
  await assert.rejects(stat(from), { code: 'ENOENT' });
});
