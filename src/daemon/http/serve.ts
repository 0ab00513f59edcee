import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { isOperatorError, messageOf, OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { authenticationRequired, type Credentials, isAuthorized } from './basic-auth.ts';
import { refuseForeignPages } from './browser-guard.ts';
import { errorReply } from './error-reply.ts';
import { type LiveBody, type Reply, textReply } from './reply.ts';
import type { ReplyLog } from './reply-log.ts';
import { answer } from './router.ts';
import type { DaemonServices } from './site-services.ts';

export interface Serving {
  /** Where given, every request needs them. */
  readonly credentials?: Credentials | undefined;
  readonly services: DaemonServices;
  /** `dashboard_actions` */
  readonly mayAct: boolean;
  readonly log: Log;
  readonly replyLog: ReplyLog;
  readonly version: string;
  /** Aborted when the server ends. */
  readonly end: AbortSignal;
}

/** How long somebody who follows may take to read what was sent. */
const slowMsMax = 20_000;
/** Bodies are ignored; one that is longer than this is not even read to its end. */
const bodyBytesMax = 1024 * 1024;

/** Answers one request. Never rejects: what fails after the head has been sent can only break the connection, by which the client knows. */
export async function serve(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  try {
    response.setHeader('server', `pghoard/${serving.version}`);
    response.setHeader('connection', 'close');
    const reply = skipBody(request)
      ? await replyTo(request, response, serving)
      : textReply(413, 'request-invalid: request body too large\n');
    serving.replyLog.answered(request, reply);
    await send(response, reply);
  } catch (error) {
    serving.log.debug({ method: request.method, url: request.url, because: messageOf(error) }, 'HTTP response not sent');
    response.destroy();
  }
}

async function replyTo(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<Reply> {
  const { credentials, services, log, end } = serving;
  if (credentials && !isAuthorized(request.headers.authorization, credentials)) return authenticationRequired;
  const { method = '', url = '' } = request;
  const signal = AbortSignal.any([end, goneSignal(response)]);
  const header = (name: string) => headerOf(request, name);
  try {
    if (method !== 'GET' && method !== 'HEAD')
      refuseForeignPages(header, { mayAct: serving.mayAct, hasCredentials: credentials !== undefined });
    return await answer({ method, url, header, signal }, services);
  } catch (error) {
    if (!isOperatorError(error))
      log.error({ method, url, error: error instanceof Error ? error.stack : String(error) }, 'HTTP request failed by a bug');
    return errorReply(error);
  }
}

async function send(response: ServerResponse, { status, headers, body }: Reply): Promise<void> {
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const bytes = Buffer.from(body);
    response.writeHead(status, { ...headers, ...(status !== 304 && { 'content-length': bytes.length }) });
    response.end(bytes);
    return;
  }
  if ('pieces' in body) return sendPieces(response, status, headers, body);
  try {
    response.writeHead(status, { ...headers, 'content-length': body.bytes });
    await pipeline(createReadStream(body.path), response);
  } finally {
    await body.done();
  }
}

/** Somebody who does not read, or has gone, is let go by an error: what waits for it is never more than one piece. */
async function sendPieces(response: ServerResponse, status: number, headers: Reply['headers'], { pieces }: LiveBody): Promise<void> {
  const gone = goneSignal(response);
  response.writeHead(status, headers);
  for await (const piece of pieces) {
    if (!response.write(piece)) await once(response, 'drain', { signal: AbortSignal.any([gone, AbortSignal.timeout(slowMsMax)]) });
  }
  response.end();
}

/** Reads the body away, up to a bound. False if it announces itself as longer. */
function skipBody(request: IncomingMessage): boolean {
  if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) return false;
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) request.destroy();
  });
  request.on('error', () => {});
  return true;
}

function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new OperatorError('client-gone', 'the client has closed the connection'));
  });
  return gone.signal;
}

/** A header that came several times is none that we could follow. */
function headerOf(request: IncomingMessage, name: string): string | undefined {
  const values = request.headersDistinct[name];
  if (values && values.length > 1) throw new OperatorError('request-invalid', `header ${name} came ${values.length} times`);
  return values?.[0];
}
