import type { Duplex } from 'node:stream';
import type { Client } from 'pg';
import { socketOf } from './login.ts';
import { FrameBuffer } from './protocol/framing.ts';
import { fromServer, parseDataRow } from './protocol/messages.ts';

/** Takes the socket away from `pg`, which hears nothing of it any more but its end; paused, so that nothing is lost until somebody listens. */
export function takeSocket(client: Client): Duplex {
  const socket = socketOf(client);
  socket.pause();
  socket.removeAllListeners('data');
  return socket;
}

/** Keeps what arrives while `pg` runs a statement, for what `pg` would decode. Meant for short answers. */
export class RowTap {
  readonly #socket: Duplex;
  readonly #chunks: Buffer[] = [];
  readonly #hear = (chunk: Buffer): void => void this.#chunks.push(chunk);

  constructor(client: Client) {
    this.#socket = socketOf(client);
    this.#socket.on('data', this.#hear);
  }

  end(): void {
    this.#socket.off('data', this.#hear);
  }

  /** The rows of the answer, column by column. Throws `postgres-protocol`. */
  rows(): readonly (readonly Buffer[])[] {
    const frames = new FrameBuffer();
    frames.push(Buffer.concat(this.#chunks));
    const rows: (readonly Buffer[])[] = [];
    for (let frame = frames.take(); frame !== undefined; frame = frames.take()) {
      if (frame.type === fromServer.dataRow) rows.push(parseDataRow(frame.body));
    }
    return rows;
  }
}
