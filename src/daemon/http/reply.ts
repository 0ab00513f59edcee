import { formatJson } from '../../lib/json.ts';

/** What a route answers: plain data, written to the connection by the server. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | FileBody | LiveBody;
}

/** A file's bytes as body. */
export interface FileBody {
  readonly path: string;
  readonly bytes: number;
  /** Called once the file is not needed any more, however the sending ended. */
  readonly done: () => Promise<void>;
}

const octets = { 'content-type': 'application/octet-stream' };

/** Text that comes piece by piece for as long as somebody reads it; the next piece is made once the last one was taken. */
export interface LiveBody {
  readonly pieces: AsyncIterable<string>;
}

export function textReply(status: number, text: string): Reply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: text };
}

export function jsonReply(value: unknown): Reply {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: formatJson(value) };
}

export function bytesReply(bytes: string | Uint8Array): Reply {
  return { status: 200, headers: octets, body: bytes };
}

export function createdReply(): Reply {
  return { status: 201, headers: octets, body: '' };
}
