import { type Duplex, duplexPair } from 'node:stream';
import type { PgConnection } from '../../src/postgres/client.ts';
import type { Lsn } from '../../src/postgres/lsn.ts';
import { FrameBuffer } from '../../src/postgres/protocol/framing.ts';
import { waitFor } from './wait-for.ts';

/** What a client has said; `Q`: START_REPLICATION, `d`: a status, `c`: CopyDone, `X`: Terminate. */
export interface Heard {
  readonly type: string;
  readonly body: Buffer;
}

/** A server that says what the test has it say, from START_REPLICATION on; what real servers do not say, or not at will. */
export class ScriptedWalsender {
  /** Logged in already. */
  readonly connection: PgConnection;
  readonly socket: Duplex;
  /** What the client said, in its order. */
  readonly heard: Heard[] = [];
  readonly #frames = new FrameBuffer();

  /** A deaf one reads nothing until it {@link listen}s. */
  constructor({ isDeaf = false, serverVersion = 150_018 }: { isDeaf?: boolean; serverVersion?: number } = {}) {
    const [ours, theirs] = duplexPair({ allowHalfOpen: false });
    // As with sockets: closed on both sides, or broken on both.
    ours.on('close', () => theirs.destroy());
    theirs.on('close', () => ours.destroy());
    this.socket = ours;
    if (!isDeaf) this.listen();
    this.connection = {
      serverVersion,
      target: 'nobody',
      closed: false,
      query: async <Row extends object>() => [{ systemid: '1', timeline: 1, xlogpos: '0/0' } as Row],
      queryBytes: async () => [],
      onLost: () => {},
      takeOver: async () => theirs,
      close: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
  }

  say(...messages: readonly Buffer[]): void {
    for (const message of messages) this.socket.write(message);
  }

  /** Closes the connection after what was said. */
  hangUp(): void {
    this.socket.end();
  }

  listen(): void {
    this.socket.on('data', (chunk: Buffer) => {
      this.#frames.push(chunk);
      for (let frame = this.#frames.take(); frame !== undefined; frame = this.#frames.take()) {
        this.heard.push({ type: String.fromCharCode(frame.type), body: Buffer.from(frame.body) });
      }
      if (this.heard.at(-1)?.type === 'X') this.hangUp();
    });
  }

  /** What has been heard once that is `count` messages. */
  async hears(count: number): Promise<readonly Heard[]> {
    await waitFor(() => this.heard.length >= count, {
      withinMs: 30_000,
      everyMs: 1,
      what: () => `${count} messages come: ${this.heard.length}`,
    });
    return this.heard;
  }
}

/** Any message of the protocol. */
export function said(type: string, body: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(body as string, 'latin1');
  const header = Buffer.from(`${type}....`, 'latin1');
  header.writeUInt32BE(4 + bytes.length, 1);
  return Buffer.concat([header, bytes]);
}

export const copyBoth = said('W', '\0\0\0');

export function wal(startLsn: Lsn, bytes: Buffer | string): Buffer {
  const header = Buffer.alloc(25, 'w');
  header.writeBigUInt64BE(startLsn, 1);
  header.writeBigUInt64BE(startLsn + BigInt(bytes.length), 9);
  return said('d', Buffer.concat([header, Buffer.from(bytes as string)]));
}

export function keepalive(serverEnd: Lsn, replyRequested = false): Buffer {
  const body = Buffer.alloc(18, 'k');
  body.writeBigUInt64BE(serverEnd, 1);
  body[17] = replyRequested ? 1 : 0;
  return said('d', body);
}

/** ErrorResponse (`E`) or NoticeResponse (`N`). */
export function report(type: 'E' | 'N', sqlState: string, message: string): Buffer {
  return said(type, `SFATAL\0VFATAL\0C${sqlState}\0M${message}\0\0`);
}

/** A row of text; null: NULL. */
export function dataRow(...columns: readonly (string | null)[]): Buffer {
  const column = (text: string | null) => (text === null ? '\xff\xff\xff\xff' : `\0\0\0${String.fromCharCode(text.length)}${text}`);
  return said('D', `\0${String.fromCharCode(columns.length)}${columns.map(column).join('')}`);
}

/** The row that follows the end of a timeline, and what surrounds it. */
export function timelineEnd(timeline: string, position: string): Buffer {
  return Buffer.concat([
    said('T', '\0\0'),
    dataRow(timeline, position),
    said('C', 'SELECT\0'),
    said('C', 'START_STREAMING\0'),
    said('Z', 'I'),
  ]);
}
