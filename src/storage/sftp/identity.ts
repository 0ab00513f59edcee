import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import ssh2, { type AnyAuthMethod, type AuthenticationType, type AuthHandlerMiddleware, type ParsedKey } from 'ssh2';
import { OperatorError } from '../../lib/errors.ts';
import type { SftpStorageOptions } from './options.ts';

export type IdentityOptions = Pick<SftpStorageOptions, 'username' | 'password' | 'private_key' | 'private_key_passphrase'>;

/** What is tried in turn to log in. A password beside a key is for servers that want both, after the key. */
export async function identityOf(options: IdentityOptions): Promise<AuthHandlerMiddleware> {
  const { username } = options;
  const passwords = options.password === null ? [] : passwordMethods(username, options.password);
  if (options.private_key !== null) {
    const key = await readPrivateKey(options, options.private_key);
    return inTurn([{ type: 'publickey', username, key }], passwords);
  }
  if (passwords.length > 0) return inTurn(passwords, []);
  const agent = process.env['SSH_AUTH_SOCK'];
  if (agent === undefined || agent === '') throw noIdentity();
  return inTurn([{ type: 'agent', username, agent }], []);
}

/** Many servers ask for the password by keyboard-interactive only. */
function passwordMethods(username: string, password: string): AnyAuthMethod[] {
  return [
    { type: 'password', username, password },
    {
      type: 'keyboard-interactive',
      username,
      prompt: (_name, _instructions, _lang, prompts, finish) => finish(prompts.map(({ echo }) => (echo === true ? '' : password))),
    },
  ];
}

function inTurn(first: readonly AnyAuthMethod[], afterPartialSuccess: readonly AnyAuthMethod[]): AuthHandlerMiddleware {
  const left = [...first];
  let isPartly = false;
  return (offered: readonly AuthenticationType[] | null, partialSuccess, next) => {
    if (partialSuccess && !isPartly) {
      isPartly = true;
      left.push(...afterPartialSuccess);
    }
    const method = left.find(({ type }) => offered === null || offered.includes(type === 'agent' ? 'publickey' : type));
    if (!method) {
      (next as unknown as (nothing: false) => void)(false);
      return;
    }
    left.splice(0, left.indexOf(method) + 1);
    next(method);
  };
}

/** Decrypting a key is made to take long, and happens in the way of everything else: so it is done once, until the file changes. */
const parsedKeys = new WeakMap<IdentityOptions, { readonly text: string; readonly key: ParsedKey }>();

async function readPrivateKey(options: IdentityOptions, path: string): Promise<ParsedKey> {
  try {
    const text = await readFile(path, 'utf8');
    const before = parsedKeys.get(options);
    if (before?.text === text) return before.key;
    const key = parsePrivateKey(text, options.private_key_passphrase ?? undefined);
    parsedKeys.set(options, { text, key });
    return key;
  } catch (cause) {
    throw new OperatorError('store-denied', `cannot use the private key ${path} to log in`, {
      cause,
      hint: 'It must be a private key that this user can read, as ssh-keygen makes it; private_key_passphrase opens an encrypted one.',
    });
  }
}

function parsePrivateKey(text: string, passphrase: string | undefined): ParsedKey {
  const readable = /-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/.test(text) ? fromPkcs8(text, passphrase) : text;
  const key = ssh2.utils.parseKey(readable, passphrase);
  const parsed: ParsedKey | Error | undefined = Array.isArray(key) ? (key as ParsedKey[])[0] : key;
  if (parsed instanceof Error) throw parsed;
  if (!parsed?.isPrivateKey()) throw new Error('it is not a private key');
  return parsed;
}

/** `ssh-keygen -m PKCS8` and openssl write what ssh2 does not read. */
function fromPkcs8(text: string, passphrase: string | undefined): string {
  const key = createPrivateKey({ key: text, ...(passphrase !== undefined && { passphrase }) });
  return key.export({ format: 'pem', type: key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1' }).toString();
}

function noIdentity(): OperatorError {
  return new OperatorError('store-denied', 'there is nothing to log in to the SFTP server with', {
    hint: 'Give private_key or password in object_storage, or set SSH_AUTH_SOCK to the socket of an ssh-agent.',
  });
}
