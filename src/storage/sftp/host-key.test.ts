import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeKey, Sshd } from '../../../test/support/services/sshd.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { openStore } from '../drivers.ts';
import { SftpStore } from './driver.ts';
import { fingerprintOf, hostKeyCheck } from './host-key.ts';
import type { SftpStorageOptions } from './options.ts';

const scratch = await makeTemporaryDirectory();
process.env['HOME'] = scratch.path;
const at = (name: string) => join(scratch.path, name);
await makeKey(at('rsa_host_key'), '-t', 'rsa', '-b', '2048');
const sshd = await Sshd.start({ config: [`HostKey ${at('rsa_host_key')}`] });
after(async () => {
  await sshd[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

const unknown = { known_hosts: null, host_key_fingerprint: null };
const keyOf = (line: string) => Buffer.from(line.split(' ')[1] ?? '', 'base64');

/** What becomes of a request, and what is warned of. */
async function attempt(more: Partial<SftpStorageOptions>, port = sshd.port): Promise<{ code: string; text: string; warnings: string[] }> {
  const warnings: string[] = [];
  const store = new SftpStore({ storage: sshd.storage({ ...more, port }), warn: (message) => void warnings.push(message) });
  try {
    await store.head('none');
    throw new Error('found what is not there');
  } catch (error) {
    if (!isOperatorError(error)) throw error;
    assert.equal(error.retryable, false);
    return { code: error.code, text: `${error.message} ${error.hint ?? ''}`, warnings };
  } finally {
    await store.close();
  }
}

const isIn = { code: 'object-missing', warnings: [] };

test('the pinned key is let in, with and without padding; any other is refused, whatever known_hosts say', async () => {
  const fingerprint = fingerprintOf(keyOf(sshd.hostKey));
  for (const pinned of [fingerprint, `${fingerprint}=`]) {
    const { code, warnings } = await attempt({ known_hosts: null, host_key_fingerprint: pinned });
    assert.deepEqual({ code, warnings }, isIn);
  }
  const { code, text } = await attempt({ host_key_fingerprint: `SHA256:${'A'.repeat(43)}` });
  assert.equal(code, 'store-host-key');
  assert.ok(text.includes(fingerprint) && text.includes('host_key_fingerprint'), text);
});

test('a key that known_hosts do not have for the server is refused, and so is a server that the named file does not have', async () => {
  await writeFile(
    at('other'),
    sshd.knownHostsLine.replace(/AAAA\S+/, 'AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'),
  );
  const changed = await attempt({ known_hosts: at('other') });
  assert.equal(changed.code, 'store-host-key');
  assert.match(changed.text, /between you and the server.*ssh-keygen -R/);
  await writeFile(at('empty'), '');
  const missing = await attempt({ known_hosts: at('empty') });
  assert.equal(missing.code, 'store-host-key');
  assert.match(missing.text, /says nothing of this server.*ssh-keyscan/);
  await writeFile(at('revoked'), `${sshd.knownHostsLine}@revoked * ${sshd.hostKey}\n`);
  assert.equal((await attempt({ known_hosts: at('revoked') })).code, 'store-host-key');
  assert.equal((await attempt({ known_hosts: at('not-there') })).code, 'store-denied');
});

test('a server that is known by one of its keys shows that one', async () => {
  const { knownTypes } = await hostKeyCheck(
    { server: '127.0.0.1', port: sshd.port, known_hosts: await rsaOnly(), host_key_fingerprint: null },
    () => {},
  );
  assert.deepEqual(knownTypes, ['ssh-rsa']);
  const { code, warnings } = await attempt({ known_hosts: await rsaOnly() });
  assert.deepEqual({ code, warnings }, isIn);
});

async function rsaOnly(): Promise<string> {
  const key = (await readFile(at('rsa_host_key.pub'), 'utf8')).split(' ').slice(0, 2).join(' ');
  await writeFile(at('rsa_known'), `[127.0.0.1]:${sshd.port} ${key}\n`);
  return at('rsa_known');
}

test('of an unknown server one is warned once; from then on it must not change its key', async () => {
  const first = await attempt(unknown);
  assert.equal(first.code, 'object-missing');
  assert.equal(first.warnings.length, 1);
  assert.ok(first.warnings[0]?.includes(fingerprintOf(keyOf(sshd.hostKey))), first.warnings[0]);
  const { code, warnings } = await attempt(unknown);
  assert.deepEqual({ code, warnings }, isIn);
  const check = await hostKeyCheck({ server: '127.0.0.1', port: sshd.port, ...unknown }, () => {});
  assert.equal(check.whyRefused(Buffer.from('another key'))?.code, 'store-host-key');
  assert.equal(check.whyRefused(keyOf(sshd.hostKey)), undefined);
});

test('the warning goes to the log of a daemon', async () => {
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_fields: object, message: string) => void warnings.push(message), child: () => log };
  const store = await openStore(sshd.storage({ ...unknown, server: 'localhost' }), log);
  await assert.rejects(store.head('none'), { code: 'object-missing' });
  await store.close();
  assert.match(warnings.join(), /nothing is known of the SFTP server \[localhost\]/);
});

test('the known_hosts of the user decide about servers that they have', async () => {
  await mkdir(at('.ssh'));
  await copyFile(sshd.storage().known_hosts ?? '', at('.ssh/known_hosts'));
  const { code, warnings } = await attempt(unknown);
  assert.deepEqual({ code, warnings }, isIn);
  await copyFile(at('other'), at('.ssh/known_hosts'));
  assert.equal((await attempt(unknown)).code, 'store-host-key');
});
