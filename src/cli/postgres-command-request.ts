import { type IncomingMessage, request } from 'node:http';
import type { PostgresCommandOptions } from './postgres-command-options.ts';

/** The server did not answer, or its answer broke off. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
}

/** Longer than the server lets any request wait. */
const silenceMsMax = 180_000;
const textBytesMax = 64 * 1024;

/** Sends a request about the command's WAL file; resolves once the head of the answer is there. Rejects with {@link ConnectionError}. */
export function ask(options: PostgresCommandOptions, method: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const { host, port, credentials, site, xlog } = options;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request(
    {
      host: host.replace(/^\[(.*)\]$/, '$1'),
      port,
      method,
      path: `/${site}/archive/${xlog}`,
      headers: { ...headers, connection: 'close' },
      timeout: silenceMsMax,
      agent: false,
      ...(credentials && { auth: `${credentials.username}:${credentials.password}` }),
    },
    resolve,
  );
  outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${silenceMsMax / 1000} s`)));
  outgoing.on('error', (error) => reject(connectionError(options, error)));
  outgoing.end();
  return promise;
}

/** The bytes of an answer. Rejects with {@link ConnectionError} if it breaks off. */
export async function* bodyOf(options: PostgresCommandOptions, answer: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of answer) yield chunk as Buffer;
  } catch (error) {
    throw connectionError(options, error);
  }
}

/** A short answer as text for messages. */
export async function textOf(options: PostgresCommandOptions, answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of bodyOf(options, answer)) {
    bytes += chunk.length;
    if (bytes > textBytesMax) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString().trim();
}

function connectionError({ host, port }: PostgresCommandOptions, error: unknown): ConnectionError {
  const why = error instanceof AggregateError ? error.errors.map(textOfError).join('; ') : textOfError(error);
  return new ConnectionError(`connection to pghoard at ${host} port ${port} failed: ${why}`, { cause: error });
}

function textOfError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
