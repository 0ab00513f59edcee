import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import ssh2, { type AuthContext } from 'ssh2';
import { makeKey, Sshd } from '../../../test/support/services/sshd.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import { runProgram } from '../../lib/subprocess.ts';
import { SftpConnection, usualPatience } from './connection.ts';
import type { SftpStorageOptions } from './options.ts';

const scratch = await makeTemporaryDirectory();
const at = (name: string) => join(scratch.path, name);
const sshd = await Sshd.start();
delete process.env['SSH_AUTH_SOCK'];
after(async () => {
  await sshd[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

async function logIn(storage: SftpStorageOptions): Promise<void> {
  const connection = await SftpConnection.open({ storage, storeName: 'the server', patience: usualPatience, warn: () => {} }, () => {});
  await connection.close();
}

async function authorize(name: string): Promise<void> {
  await appendFile(join(sshd.directory, 'authorized_keys'), await readFile(at(`${name}.pub`)));
}

const keys: readonly { readonly name: string; readonly make: readonly string[]; readonly passphrase?: string }[] = [
  { name: 'ed25519', make: ['-t', 'ed25519'] },
  { name: 'ed25519 with a passphrase', make: ['-t', 'ed25519', '-N', 'correct horse'], passphrase: 'correct horse' },
  { name: 'rsa', make: ['-t', 'rsa', '-b', '2048'] },
  { name: 'rsa as PEM, as older ssh-keygen made it', make: ['-t', 'rsa', '-b', '2048', '-m', 'PEM'] },
  { name: 'rsa as PEM with a passphrase', make: ['-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', 'battery'], passphrase: 'battery' },
  { name: 'rsa as PKCS#8', make: ['-t', 'rsa', '-b', '2048', '-m', 'PKCS8'] },
  { name: 'ecdsa', make: ['-t', 'ecdsa', '-b', '384'] },
  { name: 'ecdsa as PKCS#8 with a passphrase', make: ['-t', 'ecdsa', '-m', 'PKCS8', '-N', 'staple'], passphrase: 'staple' },
];

for (const [number, { name, make, passphrase = null }] of keys.entries()) {
  test(`logs in with a private key: ${name}`, async () => {
    await makeKey(at(`key${number}`), ...make);
    const storage = sshd.storage({ private_key: at(`key${number}`), private_key_passphrase: passphrase });
    await assert.rejects(logIn(storage), {
      code: 'store-denied',
      message: /does not let .* log in/,
      retryable: false,
      hint: /authorized_keys/,
    });
    await authorize(`key${number}`);
    await logIn(storage);
    if (passphrase === null) return;
    for (const wrong of [null, 'wrong secret']) {
      const failure = await failureOf(logIn({ ...storage, private_key_passphrase: wrong }));
      assert.equal(failure.code, 'store-denied');
      assert.ok(failure.message.includes(at(`key${number}`)));
      assert.doesNotMatch(inspect(failure, { depth: 10 }), /wrong secret/);
    }
  });
}

test('a file that is no private key, or none at all, is named', async () => {
  await writeFile(at('garbage'), 'garbage');
  for (const path of [at('garbage'), at('not-there'), join(sshd.directory, 'user_key.pub')])
    await assert.rejects(logIn(sshd.storage({ private_key: path })), { code: 'store-denied', message: new RegExp(path) });
});

test('the keys of an ssh-agent are used where nothing else is given', async () => {
  const nothing = sshd.storage({ private_key: null });
  await assert.rejects(logIn(nothing), { code: 'store-denied', hint: /SSH_AUTH_SOCK/ });
  const agent = spawn('ssh-agent', ['-D', '-a', at('agent')], { stdio: 'ignore' });
  try {
    const env = { ...process.env, SSH_AUTH_SOCK: at('agent') };
    await waitFor(async () => (await runProgram('ssh-add', ['-q', sshd.keyFile], { env })).code === 0, {
      withinMs: 10_000,
      what: 'the agent has the key',
    });
    process.env['SSH_AUTH_SOCK'] = at('agent');
    await logIn(nothing);
    await runProgram('ssh-add', ['-q', '-D'], { env });
    await assert.rejects(logIn(nothing), { code: 'store-denied', hint: /ssh-add -l/ });
  } finally {
    delete process.env['SSH_AUTH_SOCK'];
    agent.kill();
    await once(agent, 'exit');
  }
});

/** A server that lets in who answers as it expects. Its host key is the sshd's, but it listens elsewhere. */
async function startPasswordServer(
  decide: (context: AuthContext) => void,
): Promise<AsyncDisposable & { readonly storage: SftpStorageOptions }> {
  const server = new ssh2.Server({ hostKeys: [await readFile(join(sshd.directory, 'host_key'))] }, (client) => {
    client.on('authentication', decide).on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await writeFile(at(`known-${port}`), `[127.0.0.1]:${port} ${sshd.hostKey}\n`);
  return {
    storage: { ...sshd.storage(), port, private_key: null, known_hosts: at(`known-${port}`), username: 'backup' },
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

test('logs in with a password; a wrong one is refused and nowhere shown', async () => {
  await using server = await startPasswordServer((context) => {
    if (context.method === 'password' && context.password === 'sesame') context.accept();
    else context.reject(['password']);
  });
  await logIn({ ...server.storage, password: 'sesame' });
  const failure = await failureOf(logIn({ ...server.storage, password: 'open wide' }));
  assert.deepEqual([failure.code, failure.retryable], ['store-denied', false]);
  assert.match(failure.hint ?? '', /password/);
  assert.doesNotMatch(inspect(failure, { depth: 10 }), /open wide/);
});

test('a server that asks for the password by keyboard-interactive gets it', async () => {
  await using server = await startPasswordServer((context) => {
    if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive']);
    context.prompt([{ prompt: 'Password: ', echo: false }], ([answer]) => (answer === 'sesame' ? context.accept() : context.reject()));
  });
  await logIn({ ...server.storage, password: 'sesame' });
  await assert.rejects(logIn({ ...server.storage, password: 'wrong' }), { code: 'store-denied' });
});

test('beside a key the password is only for servers that want both', async () => {
  const tried: string[] = [];
  let hasKey = false;
  await using server = await startPasswordServer((context) => {
    tried.push(context.method);
    if (context.method === 'publickey') {
      hasKey = true;
      context.reject(['password'], true);
    } else if (context.method === 'password' && hasKey && context.password === 'sesame') context.accept();
    else context.reject(['publickey', 'password']);
  });
  await logIn({ ...server.storage, private_key: sshd.keyFile, password: 'sesame' });
  assert.deepEqual([...new Set(tried)], ['publickey', 'password']);
});

async function failureOf(work: Promise<unknown>): Promise<OperatorError> {
  try {
    await work;
  } catch (error) {
    if (isOperatorError(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}
