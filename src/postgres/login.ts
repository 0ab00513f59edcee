import type { Socket } from 'node:net';
import { Client, type ClientConfig } from 'pg';
import { OperatorError } from '../lib/errors.ts';
import { type ConnInfo, conninfoError } from './conninfo-keywords.ts';
import type { Security } from './tls.ts';
import { parseVersionNumber } from './versions.ts';

export interface LoginOptions {
  /** A physical replication connection: it knows replication commands and `SHOW`, no SQL. */
  readonly replication?: boolean | undefined;
  /** Shown in pg_stat_activity unless the connection info says otherwise. */
  readonly applicationName?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Login {
  readonly client: Client;
  /** `server_version_num`. */
  readonly serverVersion: number;
}

/** libpq waits for ever by default; a server that accepts connections and then hangs must not hold a backup up. */
const connectTimeoutSecondsDefault = 30;
/** When a peer that has silently gone away is asked whether it is still there. */
const keepAliveIdleSecondsDefault = 60;

/** Parameters of libpq that demand something we cannot give: ignoring them would be less safe than was asked for. */
const unsupportedDemands: readonly string[] = ['require_auth', 'requirepeer', 'sslcrldir', 'scram_client_key', 'oauth_issuer'];

/** What is used of `pg` beyond its types. */
interface PgConnection {
  readonly stream: Socket;
  on(event: 'parameterStatus', listener: (message: { parameterName: string; parameterValue: string }) => void): void;
  on(event: 'authenticationSASL', listener: (message: { mechanisms: readonly string[] }) => void): void;
}

/** Logs in to one host in one way. Rejects with what `pg` says, or with the signal's reason. */
export async function logIn(info: ConnInfo, security: Security, options: LoginOptions): Promise<Login> {
  options.signal?.throwIfAborted();
  const binding = new ChannelBinding(info, security);
  const client = new Client(clientConfig(info, security, options, binding));
  const connection = connectionOf(client);
  // Listeners come first: an error event that nobody listens to would end the process.
  client.on('error', () => {});
  connection.on('authenticationSASL', ({ mechanisms }) => binding.offered(mechanisms));
  let version = '';
  connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
    if (parameterName === 'server_version') version = parameterValue;
  });
  const abort = () => void socketOf(client).destroy(new Error('aborted'));
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    await client.connect();
    binding.check();
    return { client, serverVersion: parseVersionNumber(version) };
  } catch (error) {
    socketOf(client).destroy();
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
}

/** What carries the session: with TLS the encrypting socket. */
export function socketOf(client: Client): Socket {
  return connectionOf(client).stream;
}

/** `user@host:port/database`, for messages. */
export function describeTarget(info: ConnInfo): string {
  const host = info['host'] ?? info['hostaddr'] ?? 'localhost';
  return `${info['user'] ?? ''}@${host}:${info['port'] ?? ''}/${info['dbname'] ?? ''}`;
}

/** Throws `conninfo-invalid` for parameters that cannot be honoured. */
export function checkSupported(info: ConnInfo): void {
  const keyword = unsupportedDemands.find((demand) => info[demand] !== undefined);
  if (keyword !== undefined) throw conninfoError(`connection parameter "${keyword}" is not supported by pghoard`);
  if (info['gssencmode'] === 'require')
    throw conninfoError('gssencmode=require is not supported by pghoard', 'Use TLS: sslmode=verify-full.');
}

function clientConfig(info: ConnInfo, security: Security, options: LoginOptions, binding: ChannelBinding): ClientConfig {
  const applicationName = info['application_name'] ?? options.applicationName ?? info['fallback_application_name'] ?? 'pghoard';
  return {
    host: info['hostaddr'] ?? info['host'] ?? 'localhost',
    port: portOf(info),
    user: info['user'] ?? '',
    database: info['dbname'] ?? '',
    // A function keeps `pg` from looking for password files by itself: that has been done, as libpq does it.
    password: () => passwordFor(info, binding),
    application_name: applicationName,
    ssl: security === 'clear' ? false : security,
    enableChannelBinding: binding.possible,
    keepAlive: info['keepalives'] !== '0',
    keepAliveInitialDelayMillis: numberOf(info, 'keepalives_idle', keepAliveIdleSecondsDefault) * 1000,
    connectionTimeoutMillis: connectTimeoutMs(info),
    ...(info['sslnegotiation'] === 'direct' && security !== 'clear' ? { sslnegotiation: 'direct' as const } : {}),
    ...(info['options'] === undefined ? {} : { options: info['options'] }),
    ...(options.replication === true ? { replication: 'true' } : {}),
  };
}

function passwordFor(info: ConnInfo, binding: ChannelBinding): string {
  binding.check();
  const password = info['password'];
  if (password !== undefined) return password;
  throw new OperatorError('postgres-authentication', `PostgreSQL at ${describeTarget(info)} asks for a password, and there is none`, {
    hint: 'Put it into the password file (~/.pgpass, mode 0600), or into the configuration.',
  });
}

function connectTimeoutMs(info: ConnInfo): number {
  const seconds = numberOf(info, 'connect_timeout', connectTimeoutSecondsDefault);
  return seconds <= 0 ? 0 : Math.max(seconds, 2) * 1000;
}

function portOf(info: ConnInfo): number {
  const port = numberOf(info, 'port', 5432);
  if (port < 1 || port > 65_535) throw conninfoError(`port "${info['port']}" is not a number from 1 to 65535`);
  return port;
}

function numberOf(info: ConnInfo, keyword: string, fallback: number): number {
  const text = info[keyword];
  if (text === undefined) return fallback;
  if (!/^\s*-?\d{1,9}\s*$/.test(text)) throw conninfoError(`connection parameter ${keyword} "${text}" is not a whole number`);
  return Number(text);
}

function connectionOf(client: Client): PgConnection {
  return (client as unknown as { connection: PgConnection }).connection;
}

/** SCRAM bound to the TLS channel (`channel_binding`): used where possible; where it is required, no password leaves without it. */
class ChannelBinding {
  readonly possible: boolean;
  readonly #required: boolean;
  readonly #target: string;
  #offered = false;

  constructor(info: ConnInfo, security: Security) {
    this.possible = security !== 'clear' && info['channel_binding'] !== 'disable';
    this.#required = info['channel_binding'] === 'require';
    this.#target = describeTarget(info);
  }

  offered(mechanisms: readonly string[]): void {
    this.#offered = this.possible && mechanisms.includes('SCRAM-SHA-256-PLUS');
  }

  check(): void {
    if (!this.#required || this.#offered) return;
    throw new OperatorError(
      'postgres-authentication',
      `PostgreSQL at ${this.#target} does not offer the channel binding that is required`,
      {
        hint: 'It needs TLS and a password stored as scram-sha-256. Or set channel_binding=prefer.',
      },
    );
  }
}
