import type { Duplex } from 'node:stream';
import type { Client, QueryResult } from 'pg';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import { type ConnInfo, resolveConninfo, splitHosts } from './conninfo.ts';
import { checkSupported, describeTarget, type LoginOptions, logIn, socketOf } from './login.ts';
import { connectError, lostError, sqlStateOf, statementError, tlsError } from './postgres-error.ts';
import { RowTap, takeSocket } from './raw-socket.ts';
import { checkRole, parseSessionAttribute, roundsOf, type ServerRole, type SessionAttribute } from './session-attributes.ts';
import { securitiesToTry } from './tls.ts';

export interface ConnectOptions extends LoginOptions {
  /** Where PG* variables come from; those of the process by default. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /**
   * How long a statement may stay unanswered before the connection counts as lost: without that a network that has stopped to forward holds
   * the caller for ever. Statements take as long as they take, but replication commands no time: one minute for those unless given.
   */
  readonly answerMsMax?: number | undefined;
  /** Told why a password file was ignored. */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** A session with a PostgreSQL server. Statements run one after the other. */
export interface PgConnection extends AsyncDisposable {
  /**
   * The rows of the (last) statement, int8 and numeric as text. A replication connection takes no parameters. Throws `postgres-error` (a
   * {@link PostgresError} with its SQLSTATE) or, where the connection is gone, `postgres-unreachable` (retryable).
   */
  query<Row extends object = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  /** As {@link query}, each column as the bytes that the server sent, where they need not be text in UTF-8. */
  queryBytes(sql: string): Promise<readonly (readonly Buffer[])[]>;
  /** `server_version_num`, such as 150018. */
  readonly serverVersion: number;
  /** `user@host:port/database`, for messages. */
  readonly target: string;
  /** Closed by us or lost. */
  readonly closed: boolean;
  /** Calls back once if the connection ends without {@link close}, also if it has already. */
  onLost(callback: (error: OperatorError) => void): void;
  /**
   * Hands over the logged-in socket, paused, once running statements are through, the last of which must have succeeded (otherwise the end of its
   * answer may still be on its way). From then on the connection is closed to its owner, and the socket somebody else's to close.
   */
  takeOver(): Promise<Duplex>;
  /** Ends the session; a running statement fails. */
  close(): Promise<void>;
}

/** How long a server may take to say goodbye. */
const closeWithinMs = 5000;
const replicationAnswerMsMax = 60_000;

/**
 * Connects as libpq would: service, environment, password file, several hosts in their order, `sslmode`, `target_session_attrs`.
 * Throws `conninfo-invalid`, `postgres-unreachable` (retryable), `postgres-authentication`, `postgres-tls`, or `postgres-refused` (retryable
 * where the server will come round by itself). No message contains a password.
 */
export async function connect(info: ConnInfo, options: ConnectOptions = {}): Promise<PgConnection> {
  const env = options.env ?? process.env;
  const resolving = { replication: options.replication ?? false, ...(options.onNote ? { onNote: options.onNote } : {}) };
  const complete = await resolveConninfo(info, env, resolving);
  checkSupported(complete);
  const hosts = await Promise.all(splitHosts(complete).map((host) => resolveConninfo(host, env, resolving)));
  const failures: OperatorError[] = [];
  for (const wanted of roundsOf(parseSessionAttribute(complete['target_session_attrs']))) {
    for (const host of hosts) {
      const attempt = await connectToHost(host, wanted, options).catch((error: unknown) => failureOf(error));
      if (!(attempt instanceof OperatorError)) return attempt;
      failures.push(attempt);
    }
  }
  throw hosts.length === 1 ? (failures.at(-1) as OperatorError) : noneOf(hosts, failures);
}

/** What another host cannot change is not worth asking another host for. */
function failureOf(error: unknown): OperatorError {
  if (isOperatorError(error, 'postgres-unreachable', 'postgres-refused', 'postgres-tls')) return error;
  throw error;
}

function noneOf(hosts: readonly ConnInfo[], failures: readonly OperatorError[]): OperatorError {
  return new OperatorError('postgres-unreachable', `none of ${hosts.map(describeTarget).join(', ')} can be used`, {
    cause: new AggregateError(failures, ''),
    retryable: failures.some((failure) => failure.retryable),
  });
}

async function connectToHost(info: ConnInfo, wanted: SessionAttribute, options: ConnectOptions): Promise<PgConnection> {
  const session = await logInSomehow(info, options);
  if (wanted === 'any') return session;
  try {
    checkRole(wanted, await roleOf(session, options.replication ?? false), session.target);
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** Tries encrypted and clear connections as `sslmode` allows. The first refusal is reported, unless a later one is about the password. */
async function logInSomehow(info: ConnInfo, options: ConnectOptions): Promise<Session> {
  const target = describeTarget(info);
  const failures: OperatorError[] = [];
  for (const security of await securitiesToTry(info)) {
    try {
      const { client, serverVersion } = await logIn(info, security, options);
      return new Session(client, serverVersion, target, options.answerMsMax ?? (options.replication ? replicationAnswerMsMax : undefined));
    } catch (error) {
      options.signal?.throwIfAborted();
      const failure = isWithoutTls(error) ? tlsError(target, error) : connectError(target, error);
      if (failure.code === 'postgres-unreachable' || failure.code === 'conninfo-invalid') throw failure;
      failures.push(failure);
    }
  }
  throw mostTelling(failures);
}

function mostTelling(failures: readonly OperatorError[]): OperatorError {
  const aboutPassword = failures.find((failure) => sqlStateOf(failure) === '28P01');
  return aboutPassword ?? failures.find((failure) => failure.code !== 'postgres-tls') ?? (failures[0] as OperatorError);
}

/** What `pg` says where the server answers the request for TLS with "no". */
function isWithoutTls(error: unknown): boolean {
  return error instanceof Error && /does not support SSL|establishing an SSL connection/.test(error.message);
}

/** Physical replication connections cannot run functions, but they know SHOW. */
async function roleOf(session: Session, replication: boolean): Promise<ServerRole> {
  const isReadOnly = await isOn(session, 'SHOW transaction_read_only');
  if (session.serverVersion >= 140_000) return { isReadOnly, isStandby: await isOn(session, 'SHOW in_hot_standby') };
  return { isReadOnly, isStandby: replication ? isReadOnly : await isOn(session, `SELECT CASE WHEN pg_is_in_recovery() THEN 'on' END`) };
}

async function isOn(session: Session, sql: string): Promise<boolean> {
  const [row] = await session.query(sql);
  return Object.values(row ?? {})[0] === 'on';
}

class Session implements PgConnection {
  readonly serverVersion: number;
  readonly target: string;
  readonly #client: Client;
  readonly #answerMsMax: number | undefined;
  readonly #listeners: ((error: OperatorError) => void)[] = [];
  #previous: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #lost: OperatorError | undefined;

  constructor(client: Client, serverVersion: number, target: string, answerMsMax: number | undefined) {
    this.#client = client;
    this.#answerMsMax = answerMsMax;
    this.serverVersion = serverVersion;
    this.target = target;
    client.on('error', (error) => this.#lose(error));
    client.on('end', () => this.#lose(new Error('the server closed it')));
  }

  get closed(): boolean {
    return this.#closing !== undefined || this.#lost !== undefined;
  }

  query<Row extends object = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<Row[]> {
    const run = this.#previous.then(() => this.#run<Row>(sql, params));
    this.#previous = run.catch(() => {});
    return run;
  }

  queryBytes(sql: string): Promise<readonly (readonly Buffer[])[]> {
    const run = this.#previous.then(async () => {
      // `pg` knows text only, so what it reads is read a second time.
      const tap = new RowTap(this.#client);
      try {
        await this.#run(sql);
        return tap.rows();
      } finally {
        tap.end();
      }
    });
    this.#previous = run.catch(() => {});
    return run;
  }

  onLost(callback: (error: OperatorError) => void): void {
    const lost = this.#lost;
    if (lost) queueMicrotask(() => callback(lost));
    else this.#listeners.push(callback);
  }

  takeOver(): Promise<Duplex> {
    const taken = this.#previous.then(() => {
      this.#throwIfClosed();
      this.#closing = Promise.resolve();
      return takeSocket(this.#client);
    });
    this.#previous = taken.catch(() => {});
    return taken;
  }

  close(): Promise<void> {
    this.#closing ??= this.#lost ? Promise.resolve() : this.#end();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run<Row extends object>(sql: string, params?: readonly unknown[]): Promise<Row[]> {
    this.#throwIfClosed();
    const impatience = this.#loseAfter(this.#answerMsMax);
    try {
      const values = params === undefined || params.length === 0 ? undefined : [...params];
      const result = (await this.#client.query<Row>(sql, values)) as QueryResult<Row> | QueryResult<Row>[];
      return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? [];
    } catch (error) {
      throw statementError(this.target, error);
    } finally {
      clearTimeout(impatience);
    }
  }

  #loseAfter(ms: number | undefined): NodeJS.Timeout | undefined {
    if (ms === undefined) return undefined;
    return setTimeout(() => socketOf(this.#client).destroy(new Error(`there was no answer for ${ms / 1000} seconds`)), ms);
  }

  #throwIfClosed(): void {
    if (this.#lost) throw this.#lost;
    if (this.#closing) throw lostError(this.target, new Error('it has been closed'));
  }

  async #end(): Promise<void> {
    const impatience = setTimeout(() => socketOf(this.#client).destroy(), closeWithinMs);
    try {
      await this.#client.end();
    } finally {
      clearTimeout(impatience);
    }
  }

  #lose(cause: unknown): void {
    if (this.closed) return;
    this.#lost = lostError(this.target, cause);
    for (const listener of this.#listeners) listener(this.#lost);
  }
}
