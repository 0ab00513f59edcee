import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { OperatorError, systemErrorCode } from '../../lib/errors.ts';
import { type KnownKeys, keysOfServer } from './known-hosts.ts';
import type { SftpStorageOptions } from './options.ts';

export type HostKeyOptions = Pick<SftpStorageOptions, 'server' | 'port' | 'known_hosts' | 'host_key_fingerprint'>;

/** Decides whether it is the right server that one has connected to. */
export interface HostKeyCheck {
  /** Types of keys that the server is known by; it should be asked for one of these. */
  readonly knownTypes: readonly string[];
  /** Why the key must not be trusted; `undefined`: it may. */
  whyRefused(key: Buffer): OperatorError | undefined;
}

/** Of servers about which nothing is known but what they showed first; as long as this thread lives. */
const seenFirst = new Map<string, string>();

/**
 * The strictest that can be said, without refusing what the original accepted: a pinned key is the only one; a server that is in a file of known hosts
 * must have a key that is in there; one that is not is refused where the operator named that file, else accepted, with a warning, and from then
 * on it must not change its key.
 */
export async function hostKeyCheck(options: HostKeyOptions, warn: (message: string) => void): Promise<HostKeyCheck> {
  if (options.host_key_fingerprint !== null) return pinned(options, options.host_key_fingerprint.replace(/=$/, ''));
  const known = keysOfServer(await knownHostsFiles(options), options.server, options.port);
  return { knownTypes: known.types, whyRefused: (key) => whyNotKnown(options, known, key, warn) };
}

function pinned(options: HostKeyOptions, fingerprint: string): HostKeyCheck {
  const whyRefused = (key: Buffer) =>
    fingerprintOf(key) === fingerprint
      ? undefined
      : refused(
          options,
          key,
          `not the one of host_key_fingerprint, ${fingerprint}`,
          'If the server has a new key, correct host_key_fingerprint.',
        );
  return { knownTypes: [], whyRefused };
}

function whyNotKnown(options: HostKeyOptions, known: KnownKeys, key: Buffer, warn: (message: string) => void): OperatorError | undefined {
  const shown = key.toString('base64');
  const files = options.known_hosts ?? '~/.ssh/known_hosts';
  if (known.revoked.has(shown)) return refused(options, key, `revoked in ${files}`, 'Do not send anything to this server.');
  if (known.trusted.has(shown)) return undefined;
  if (known.trusted.size > 0) return refused(options, key, `not the one that ${files} has for it`, changedHint(options));
  if (options.known_hosts !== null) return refused(options, key, `unknown: ${files} says nothing of this server`, addHint(options));
  return whyNotAsBefore(options, key, warn);
}

function whyNotAsBefore(options: HostKeyOptions, key: Buffer, warn: (message: string) => void): OperatorError | undefined {
  const fingerprint = fingerprintOf(key);
  const before = seenFirst.get(addressOf(options));
  if (before === fingerprint) return undefined;
  if (before !== undefined) return refused(options, key, `not ${before}, which it had before`, changedHint(options));
  seenFirst.set(addressOf(options), fingerprint);
  warn(
    `nothing is known of the SFTP server ${addressOf(options)}, whose key is ${fingerprint}: it is trusted as it is. ` +
      'To be sure that it is the right one, set host_key_fingerprint or known_hosts in object_storage.',
  );
  return undefined;
}

async function knownHostsFiles({ known_hosts: named }: HostKeyOptions): Promise<string[]> {
  if (named !== null) return [await readFile(named, 'utf8').catch((cause: unknown) => Promise.reject(unreadable(named, cause)))];
  const usual = [join(homedir(), '.ssh', 'known_hosts'), '/etc/ssh/ssh_known_hosts'];
  return await Promise.all(usual.map((path) => readFile(path, 'utf8').catch((error: unknown) => emptyIfMissing(path, error))));
}

/** A file that is there and cannot be read might have refused the server. */
function emptyIfMissing(path: string, error: unknown): string {
  if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemErrorCode(error) ?? '')) return '';
  throw unreadable(path, error);
}

function unreadable(path: string, cause: unknown): OperatorError {
  return new OperatorError('store-denied', `cannot read the file of known hosts ${path}`, { cause, hint: 'Check its owner and mode.' });
}

function refused(options: HostKeyOptions, key: Buffer, what: string, hint: string): OperatorError {
  const message = `the key of the SFTP server ${addressOf(options)}, ${fingerprintOf(key)}, is ${what}`;
  return new OperatorError('store-host-key', message, { hint });
}

function changedHint(options: HostKeyOptions): string {
  return `Somebody may be between you and the server. If it was installed anew: ssh-keygen -R '${addressOf(options)}', and ${addCommand(options)}`;
}

function addHint(options: HostKeyOptions): string {
  return `Compare the fingerprint with what ssh-keygen -lf shows on the server, then: ${addCommand(options)}`;
}

function addCommand({ server, port, known_hosts }: HostKeyOptions): string {
  return `ssh-keyscan -p ${port} ${server} >> ${known_hosts ?? '~/.ssh/known_hosts'}`;
}

function addressOf({ server, port }: HostKeyOptions): string {
  return port === 22 ? server : `[${server}]:${port}`;
}

export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=$/, '')}`;
}
