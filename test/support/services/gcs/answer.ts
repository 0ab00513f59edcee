import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Refusal } from './refusal.ts';

/** One request to the double, taken apart. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  readonly url: URL;
  /** Where the connection is to break while a chunk comes in. */
  readonly cutAfterBytes?: number | undefined;
  /** Whether the content has a wrong bit when it comes in. */
  readonly isDamaged?: boolean;
}

const bodyBytesMax = 1024 ** 3;

export async function bodyOf(request: IncomingMessage, bytesMax = bodyBytesMax): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > bytesMax) throw new Refusal(413, 'uploadTooLarge', 'too large');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

export async function jsonOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const body = await bodyOf(request);
  return body.length === 0 ? {} : (JSON.parse(body.toString()) as Record<string, unknown>);
}

export function answer(response: ServerResponse, status: number, body: Buffer | string = '', headers: OutgoingHttpHeaders = {}): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
  response.end(body);
}

export function answerJson(response: ServerResponse, value: object, status = 200): void {
  answer(response, status, JSON.stringify(value), { 'content-type': 'application/json; charset=UTF-8' });
}

export function refuse(response: ServerResponse, { status, body }: Refusal): void {
  answer(response, status, body, { 'content-type': 'application/json; charset=UTF-8' });
}
