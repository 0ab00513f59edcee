import { systemClock } from '../lib/clock.ts';
import { isOperatorError, type OperatorError } from '../lib/errors.ts';
import { type BaseBackupRequest, baseBackupCommand, parenthesisedSince } from './base-backup-command.ts';
import type { PgConnection } from './client.ts';
import { lostError } from './postgres-error.ts';
import {
  type BaseBackupArchive,
  parseArchiveRow,
  parseBaseBackupMessage,
  parseWalPosition,
  type WalPosition,
} from './protocol/base-backup-messages.ts';
import { FrameSocket } from './protocol/frame-socket.ts';
import { type Frame, protocolError, typeName } from './protocol/framing.ts';
import * as messages from './protocol/messages.ts';
import { settleReplication } from './replication.ts';
import { streamingError } from './streaming-failure.ts';

export type { BaseBackupRequest } from './base-backup-command.ts';
export type { BaseBackupArchive, WalPosition } from './protocol/base-backup-messages.ts';

/** Is told what comes, in its order. What it returns is waited for; meanwhile the server is held back. */
export interface BaseBackupHandler {
  /** The server has made its checkpoint. The data directory is the last of `archives`. */
  begin(start: WalPosition, archives: readonly BaseBackupArchive[]): void | Promise<void>;
  /** From here on `data` is a tar archive, until the next archive or the manifest begins. Before PostgreSQL 15 the two zero blocks at its end are missing. */
  archive(archive: BaseBackupArchive): void | Promise<void>;
  /** From here on `data` is the manifest. It comes once, and last. */
  manifest(): void | Promise<void>;
  /** The bytes are only lent. */
  data(bytes: Buffer): void | Promise<void>;
  /** What the server warns of, such as pages with wrong checksums. */
  warning(text: string): void;
}

export interface BaseBackupEnd extends WalPosition {
  /** The server has found pages with wrong checksums, and sent them all the same. */
  readonly isDamaged: boolean;
}

/** How long a server may take to say goodbye. */
const closeWithinMs = 5000;
/** What it says in the end where pages had wrong checksums. */
const dataCorrupted = 'XX001';

const { fromServer } = messages;

/**
 * Takes a base backup over a replication connection (BASE_BACKUP), which from then on looks closed to its owner. Ends with `postgres-unreachable`
 * (retryable) where the server goes away, `postgres-protocol` where it is not understood, `postgres-error` with what the server says, or the reason of `signal`.
 */
export async function streamBaseBackup(
  connection: PgConnection,
  request: BaseBackupRequest,
  handler: BaseBackupHandler,
  signal: AbortSignal,
): Promise<BaseBackupEnd> {
  await settleReplication(connection, signal);
  const socket = new FrameSocket(await connection.takeOver(), systemClock);
  const abort = () => socket.fail(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    socket.write(messages.queryMessage(baseBackupCommand(connection.serverVersion, request)), () => {});
    const stream = new Conversation(connection, socket, handler);
    const end = await stream.run();
    await socket.close(messages.terminateMessage, closeWithinMs);
    return end;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    socket.destroy();
  }
}

/** What the two sides say, from the command on. */
class Conversation {
  readonly #connection: Pick<PgConnection, 'target' | 'serverVersion'>;
  readonly #socket: FrameSocket;
  readonly #handler: BaseBackupHandler;

  constructor(connection: Pick<PgConnection, 'target' | 'serverVersion'>, socket: FrameSocket, handler: BaseBackupHandler) {
    this.#connection = connection;
    this.#socket = socket;
    this.#handler = handler;
  }

  async run(): Promise<BaseBackupEnd> {
    const start = await this.#position('the start');
    const archives = await this.#archives();
    await this.#handler.begin(start, archives);
    if (this.#connection.serverVersion >= parenthesisedSince) await this.#copyAsMessages(archives);
    else await this.#copyOneByOne(archives);
    const end = await this.#position('the end');
    return { ...end, isDamaged: await this.#close() };
  }

  async #position(where: string): Promise<WalPosition> {
    const [row, ...more] = await this.#rows(where);
    if (row === undefined || more.length > 0)
      throw protocolError(`${more.length + (row === undefined ? 0 : 1)} rows for ${where} of a base backup`);
    return parseWalPosition(row);
  }

  async #archives(): Promise<BaseBackupArchive[]> {
    const archives = (await this.#rows('the list of archives')).map(parseArchiveRow);
    const oids = new Set(archives.map(({ oid }) => oid));
    if (oids.size !== archives.length || archives.at(-1)?.oid !== undefined || archives.length === 0) {
      throw protocolError('a base backup whose archives are not each tablespace once, and in the end the data directory');
    }
    return archives;
  }

  /** Since PostgreSQL 15 all is in one copy, and each piece says what it is. */
  async #copyAsMessages(archives: readonly BaseBackupArchive[]): Promise<void> {
    const awaited = [...archives];
    let hasManifest = false;
    let isBegun = false;
    this.#expect(await this.#receive(), fromServer.copyOutResponse, 'BASE_BACKUP');
    for (;;) {
      const frame = await this.#receive();
      if (frame.type === fromServer.copyDone) break;
      this.#expect(frame, fromServer.copyData, 'a base backup');
      const message = parseBaseBackupMessage(frame.body);
      if (message.kind === 'data') {
        if (!isBegun) throw protocolError('data of a base backup that belong to no archive');
        const wait = this.#handler.data(message.bytes);
        if (wait) await wait;
      } else if (message.kind === 'archive') {
        const archive = awaited.shift();
        if (archive === undefined || archive.oid !== message.oid || hasManifest)
          throw protocolError('an archive of a base backup that was not to come');
        isBegun = true;
        await this.#handler.archive(archive);
      } else if (message.kind === 'manifest') {
        if (awaited.length > 0 || hasManifest) throw protocolError('the manifest of a base backup before its last archive, or twice');
        hasManifest = true;
        await this.#handler.manifest();
      }
    }
    if (!hasManifest) throw protocolError('a base backup that ends without its manifest');
  }

  /** Before that, each archive is a copy of its own, in the announced order, and so is the manifest. */
  async #copyOneByOne(archives: readonly BaseBackupArchive[]): Promise<void> {
    for (const archive of archives) await this.#copy(() => this.#handler.archive(archive));
    await this.#copy(() => this.#handler.manifest());
  }

  async #copy(begin: () => void | Promise<void>): Promise<void> {
    this.#expect(await this.#receive(), fromServer.copyOutResponse, 'BASE_BACKUP');
    await begin();
    for (;;) {
      const frame = await this.#receive();
      if (frame.type === fromServer.copyDone) return;
      this.#expect(frame, fromServer.copyData, 'a base backup');
      const wait = this.#handler.data(frame.body);
      if (wait) await wait;
    }
  }

  /** The rows of one answer of several. */
  async #rows(where: string): Promise<Buffer[]> {
    this.#expect(await this.#receive(), fromServer.rowDescription, where);
    const rows: Buffer[] = [];
    for (;;) {
      const frame = await this.#receive();
      if (frame.type === fromServer.commandComplete) return rows;
      this.#expect(frame, fromServer.dataRow, where);
      rows.push(Buffer.from(frame.body));
    }
  }

  /** Whether the server ends by saying that it has found damage. */
  async #close(): Promise<boolean> {
    for (;;) {
      const frame = await this.#next();
      if (frame.type === fromServer.readyForQuery) return false;
      if (frame.type === fromServer.errorResponse && messages.parseReport(frame.body).sqlState === dataCorrupted) return true;
      if (frame.type !== fromServer.commandComplete) throw this.#unexpected(frame, 'the end of a base backup');
    }
  }

  async #receive(): Promise<Frame> {
    const frame = await this.#next();
    if (frame.type === fromServer.errorResponse) throw this.#unexpected(frame, 'a base backup');
    return frame;
  }

  /** The next frame that is not about something else. */
  async #next(): Promise<Frame> {
    for (;;) {
      const frame = await this.#socket.receive().catch((error: unknown) => {
        throw isOperatorError(error) ? error : lostError(this.#connection.target, error);
      });
      if (frame.type === fromServer.noticeResponse) this.#remark(messages.parseReport(frame.body));
      else if (frame.type !== fromServer.parameterStatus) return frame;
    }
  }

  #remark({ severity, message }: messages.ServerReport): void {
    if (severity === 'WARNING') this.#handler.warning(message);
  }

  #expect(frame: Frame, type: number, where: string): void {
    if (frame.type !== type) throw this.#unexpected(frame, where);
  }

  #unexpected(frame: Frame, where: string): OperatorError {
    if (frame.type === fromServer.errorResponse) return streamingError(this.#connection.target, messages.parseReport(frame.body));
    return protocolError(`a message of type ${typeName(frame.type)} in answer to ${where}`);
  }
}
