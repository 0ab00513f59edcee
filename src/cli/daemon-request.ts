import type { IncomingMessage } from 'node:http';

/** Where a daemon listens, and what it wants to hear. */
export interface DaemonAddress {
  readonly host: string;
  readonly port: number;
  readonly credentials?: { readonly username: string; readonly password: string } | undefined;
}

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** The server did not answer, or its answer broke off. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
}

/** Longer than the server lets any request wait. */
const silenceMsMax = 180_000;
const textBytesMax = 64 * 1024;

/** Sends a request; resolves once the head of the answer is there. Rejects with {@link ConnectionError}. Loads nothing but node:http. */
export function ask(daemon: DaemonAddress, method: string, path: string, { headers, signal }: AskOptions = {}): Promise<IncomingMessage> {
  const { host, port, credentials } = daemon;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // An import loads all that it exports, WebSocket and with it fetch: as much processor time as two starts of Node, for a command that may not even ask.
  const { request } = process.getBuiltinModule('node:http');
  const outgoing = request(
    {
      host: host.replace(/^\[(.*)\]$/, '$1'),
      port,
      method,
      path,
      headers: { ...headers, connection: 'close' },
      timeout: silenceMsMax,
      agent: false,
      ...(signal && { signal }),
      ...(credentials && { auth: `${credentials.username}:${credentials.password}` }),
    },
    resolve,
  );
  outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${silenceMsMax / 1000} s`)));
  outgoing.on('error', (error) => reject(connectionError(daemon, error)));
  outgoing.end();
  return promise;
}

/** Other servers have successes of their own, and without a length nobody knows whether an answer broke off. */
export function isFromPghoard({ httpVersion, headers }: IncomingMessage): boolean {
  const hasEnd = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return httpVersion === '1.1' && String(headers.server).startsWith('pghoard/') && hasEnd;
}

/** The bytes of an answer. Rejects with {@link ConnectionError} if it breaks off. */
export async function* bodyOf(daemon: DaemonAddress, answer: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of answer) yield chunk as Buffer;
  } catch (error) {
    throw connectionError(daemon, error);
  }
}

/** A short answer as text for messages. */
export async function textOf(daemon: DaemonAddress, answer: IncomingMessage, bytesMax = textBytesMax): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of bodyOf(daemon, answer)) {
    bytes += chunk.length;
    if (bytes > bytesMax) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString().trim();
}

function connectionError({ host, port }: DaemonAddress, error: unknown): ConnectionError {
  const why = error instanceof AggregateError ? error.errors.map(textOfError).join('; ') : textOfError(error);
  return new ConnectionError(`connection to pghoard at ${host} port ${port} failed: ${why}`, { cause: error });
}

function textOfError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
