import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import ssh2, { type Client, type ClientErrorExtensions, type ServerHostKeyAlgorithm, type SFTPWrapper } from 'ssh2';
import { OperatorError, systemErrorCode } from '../../lib/errors.ts';
import { storeUnreachable } from '../store-errors.ts';
import { SftpChannel } from './channel.ts';
import { ConnectionLost } from './errors.ts';
import { gatherWrites } from './gather-writes.ts';
import { type HostKeyCheck, hostKeyCheck } from './host-key.ts';
import { identityOf } from './identity.ts';
import type { SftpStorageOptions } from './options.ts';

/** How long is waited for the other side. Milliseconds. */
export interface Patience {
  /** Until the connection stands and we are logged in. */
  readonly connectMsMax: number;
  /** For an answer to a request. */
  readonly answerMsMax: number;
  /** Between two questions whether the server is still there; after three without an answer it is not. */
  readonly keepaliveMs: number;
}

export const usualPatience: Patience = { connectMsMax: 30_000, answerMsMax: 60_000, keepaliveMs: 15_000 };

export interface ConnectionOptions {
  readonly storage: SftpStorageOptions;
  readonly storeName: string;
  readonly patience: Patience;
  readonly warn: (message: string) => void;
}

/** Sessions on one connection: a request that takes long, such as a flush, holds up only those of its own session. sshd allows 10. */
const channelsMax = 4;

/** Not there by chance: OpenSSL has all of AES-GCM in one go, which makes it by far the cheapest. */
const ciphers = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
  'chacha20-poly1305@openssh.com',
] as const;

const hostKeyAlgorithms: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
  'ssh-rsa',
];

interface Slot {
  readonly channel: Promise<SftpChannel>;
  users: number;
}

/** A session for as long as one request to the store needs it. */
export interface ChannelLease extends Disposable {
  readonly channel: SftpChannel;
}

/** A connection to the server, logged in. It is used until it breaks, and never mended. */
export class SftpConnection {
  readonly #client: Client;
  readonly #patience: Patience;
  readonly #slots: Slot[] = [];
  #slotsMax = channelsMax;
  readonly #gone = new AbortController();
  #lost: ConnectionLost | undefined;

  static async open(options: ConnectionOptions, onLost: () => void): Promise<SftpConnection> {
    const { storage, patience } = options;
    const authHandler = await identityOf(storage);
    const hostKey = await hostKeyCheck(storage, options.warn);
    const sock = await openSocket(options);
    const client = new ssh2.Client();
    const connection = new SftpConnection(client, patience, onLost);
    let refusal: OperatorError | undefined;
    try {
      client.connect({
        sock,
        username: storage.username,
        authHandler,
        hostVerifier: (key: Buffer) => (refusal = hostKey.whyRefused(key)) === undefined,
        algorithms: { cipher: [...ciphers], serverHostKey: askFor(hostKey) },
        readyTimeout: patience.connectMsMax,
        keepaliveInterval: patience.keepaliveMs,
        keepaliveCountMax: 3,
      });
      await once(client, 'ready', { signal: connection.#gone.signal });
      return connection;
    } catch (error) {
      const lost = connection.#lost;
      connection.#lose(new ConnectionLost('the connection did not come about', { cause: error }));
      throw refusal ?? loginFailure(options, lost ? (lost.cause ?? lost) : error);
    }
  }

  private constructor(client: Client, patience: Patience, onLost: () => void) {
    this.#client = client;
    this.#patience = patience;
    this.#gone.signal.addEventListener('abort', onLost);
    client.on('error', (cause) => this.#lose(new ConnectionLost(cause.message, { cause })));
    client.on('close', () => this.#lose(new ConnectionLost('the server closed the connection')));
  }

  /** The session that the fewest use, or one more. */
  async lease(): Promise<ChannelLease> {
    const slot = this.#slotToUse();
    slot.users++;
    try {
      return { channel: await slot.channel, [Symbol.dispose]: () => void slot.users-- };
    } catch (error) {
      const at = this.#slots.indexOf(slot);
      if (at >= 0) this.#slots.splice(at, 1);
      if (this.#lost || this.#slots.length === 0) throw error;
      this.#slotsMax = this.#slots.length;
      return this.lease();
    }
  }

  async close(): Promise<void> {
    if (this.#lost) return;
    const closed = once(this.#client, 'close');
    this.#client.end();
    const force = setTimeout(() => this.#client.destroy(), closeMsMax);
    await closed.catch(() => {});
    clearTimeout(force);
  }

  #slotToUse(): Slot {
    const [idlest] = this.#slots.toSorted((one, other) => one.users - other.users);
    if (idlest && (idlest.users === 0 || this.#slots.length >= this.#slotsMax)) return idlest;
    const slot = { channel: this.#openChannel(), users: 0 };
    slot.channel.catch(() => {});
    this.#slots.push(slot);
    return slot;
  }

  async #openChannel(): Promise<SftpChannel> {
    if (this.#lost) throw this.#lost;
    const { promise, resolve, reject } = Promise.withResolvers<SFTPWrapper>();
    const overdue = setTimeout(
      () => this.#lose(new ConnectionLost('the server opened no SFTP session in time')),
      this.#patience.connectMsMax,
    );
    const lost = () => reject(this.#lost);
    this.#gone.signal.addEventListener('abort', lost);
    try {
      this.#client.sftp((error, sftp) => (error ? reject(new ConnectionLost(error.message, { cause: error })) : resolve(sftp)));
      const channel = new SftpChannel(await promise, this.#patience.answerMsMax, (error) => this.#lose(error));
      this.#gone.signal.addEventListener('abort', () => channel.lose(this.#gone.signal.reason as ConnectionLost));
      return channel;
    } finally {
      clearTimeout(overdue);
      this.#gone.signal.removeEventListener('abort', lost);
    }
  }

  #lose(error: ConnectionLost): void {
    if (this.#lost) return;
    this.#lost = error;
    this.#client.destroy();
    this.#gone.abort(error);
  }
}

const closeMsMax = 5_000;

/** The server shows the key of the first type that it has: so those that it is known by come first. Algorithms are named after types, but for RSA. */
function askFor({ knownTypes }: HostKeyCheck): ServerHostKeyAlgorithm[] {
  const isKnown = (algorithm: string) => knownTypes.includes(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm);
  return hostKeyAlgorithms.toSorted((one, other) => Number(isKnown(other)) - Number(isKnown(one)));
}

async function openSocket({ storage: { server, port }, storeName, patience }: ConnectionOptions): Promise<Socket> {
  const socket = connect({ host: server, port, noDelay: true, keepAlive: true });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(patience.connectMsMax) });
    return gatherWrites(socket);
  } catch (cause) {
    socket.destroy();
    throw new OperatorError('store-unreachable', `cannot connect to ${storeName}`, { cause, retryable: true, hint: hintOf(cause) });
  }
}

function hintOf(error: unknown): string {
  const code = systemErrorCode(error) ?? '';
  if (['ENOTFOUND', 'EAI_AGAIN'].includes(code))
    return 'The name of the server cannot be resolved: check server in object_storage, and the DNS.';
  if (code === 'ECONNREFUSED') return 'Nothing listens there: check server and port in object_storage, and that sshd runs.';
  return 'Check server and port in object_storage, and the network and firewalls on the way.';
}

function loginFailure({ storage, storeName }: ConnectionOptions, error: unknown): OperatorError {
  const { level } = error as ClientErrorExtensions;
  if (level === 'client-authentication' || level === 'agent')
    return new OperatorError('store-denied', `${storeName} does not let ${storage.username} log in`, {
      cause: error,
      hint: loginHint(storage),
    });
  if (error instanceof Error && error.message.includes('no matching'))
    return new OperatorError('store-failed', `${storeName} and pghoard have no way of encryption in common`, {
      cause: error,
      hint: 'Bring the SSH server up to date.',
    });
  return storeUnreachable('log in', storeName, error);
}

function loginHint({ private_key, password }: SftpStorageOptions): string {
  if (private_key !== null) return `Is the public key of ${private_key} in the user's authorized_keys on the server?`;
  return password === null
    ? 'Does the ssh-agent at SSH_AUTH_SOCK have a key that the server knows? See ssh-add -l.'
    : 'Check username and password in object_storage.';
}
