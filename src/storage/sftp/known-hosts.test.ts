import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { runProgram } from '../../lib/subprocess.ts';
import { keysOfServer } from './known-hosts.ts';

/** Keys trusted for a server, by files of known hosts; `AAA…` stand for keys. */
function trusted(server: string, port: number, ...lines: readonly string[]): string[] {
  return [...keysOfServer([lines.join('\n')], server, port).trusted];
}

test('a server is known by name, by address, among others, by a pattern', () => {
  assert.deepEqual(trusted('backup', 22, 'other ssh-rsa AAA', 'backup ssh-ed25519 BBB comment here', '# backup ssh-rsa CCC'), ['BBB']);
  assert.deepEqual(trusted('10.0.0.1', 22, 'backup,10.0.0.1 ssh-rsa AAA'), ['AAA']);
  assert.deepEqual(trusted('backup.example.com', 22, '*.example.com ssh-rsa AAA', '*.example ssh-rsa BBB'), ['AAA']);
  assert.deepEqual(trusted('backup1', 22, 'backup? ssh-rsa AAA', 'backup. ssh-rsa BBB'), ['AAA']);
  assert.deepEqual(trusted('backup.example.com', 22, '!backup.*,*.example.com ssh-rsa AAA'), []);
  assert.deepEqual(trusted('BackUp', 22, 'bACKup ssh-rsa AAA'), ['AAA']);
});

test('another port than 22 is part of the name', () => {
  const lines = ['backup ssh-rsa AAA', '[backup]:2222 ssh-rsa BBB'];
  assert.deepEqual(trusted('backup', 22, ...lines), ['AAA']);
  assert.deepEqual(trusted('backup', 2222, ...lines), ['BBB']);
  assert.deepEqual(trusted('backup', 2223, ...lines), []);
});

test('what ssh-keygen has hashed is found', async () => {
  await using scratch = await makeTemporaryDirectory();
  const path = join(scratch.path, 'known_hosts');
  await writeFile(path, 'backup,10.0.0.1 ssh-ed25519 AAAA\n[backup]:2222 ssh-ed25519 BBBB\n');
  assert.equal((await runProgram('ssh-keygen', ['-q', '-H', '-f', path])).code, 0);
  const hashed = await readFile(path, 'utf8');
  assert.doesNotMatch(hashed, /backup/);
  for (const name of ['backup', '10.0.0.1']) assert.deepEqual(trusted(name, 22, hashed), ['AAAA']);
  assert.deepEqual(trusted('backup', 2222, hashed), ['BBBB']);
  assert.deepEqual(trusted('other', 22, hashed), []);
});

test('a revoked key is not trusted, and keys of authorities are none of the server', () => {
  const { trusted: keys, revoked } = keysOfServer(['* ssh-rsa AAA\nbackup ssh-rsa BBB', '@revoked * ssh-rsa BBB'], 'backup', 22);
  assert.deepEqual([[...keys], [...revoked]], [['AAA'], ['BBB']]);
  assert.deepEqual(trusted('backup', 22, '@cert-authority *.example.com,backup ssh-rsa AAA'), []);
});

test('types of keys are told once each, and lines cut short mean nothing', () => {
  const { types } = keysOfServer(['a ssh-rsa AAA\na ssh-rsa BBB\na ssh-ed25519 CCC\na ssh-dss\na\n\n'], 'a', 22);
  assert.deepEqual(types, ['ssh-rsa', 'ssh-ed25519']);
});
