import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { messageOf, OperatorError, systemErrorCode } from '../../lib/errors.ts';
import { openHttpAgent } from '../../storage/http-agent.ts';
import { retryAfterMsOf } from '../../storage/retry-after.ts';

export interface HttpCall {
  readonly method: 'GET' | 'POST';
  /** May have a secret anywhere but in the name of its host. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly ca?: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What may be shown of an address. */
export function shownUrl(url: string): string {
  return new URL(url).origin;
}

/** Resolves once it was answered with success. Rejects with `alert-undelivered`, which is retryable unless what was sent is refused for what it is. */
export async function callHttp({ method, url, headers = {}, body, ca, timeoutMs, signal }: HttpCall): Promise<void> {
  const secure = url.startsWith('https:');
  const agent = await openHttpAgent({ secure, ca, proxy: 'of-environment', idleMs: timeoutMs });
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    const options = { method, agent, signal: AbortSignal.any([signal, limit]), headers: { ...headers, connection: 'close' } };
    const answer = await answerTo((secure ? httpsRequest : httpRequest)(url, options), body);
    const { statusCode = 0 } = answer;
    answer.destroy();
    if (statusCode < 200 || statusCode > 299) throw refusal(url, statusCode, answer);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof OperatorError) throw error;
    throw undelivered(url, limit.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error));
  } finally {
    agent.destroy();
  }
}

function answerTo(request: ClientRequest, body: string | undefined): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.on('response', resolve).on('error', reject).end(body);
  return promise;
}

/** Of what these say, nothing gets better by sending it again. */
const finalRefusals = [400, 413, 422];

function refusal(url: string, status: number, { headers }: IncomingMessage): OperatorError {
  const hint = status >= 300 && status < 400 ? 'Redirections are not followed: name the address that they lead to.' : undefined;
  return new OperatorError('alert-undelivered', `${shownUrl(url)} answered ${status}`, {
    retryable: !finalRefusals.includes(status),
    retryAfterMs: retryAfterMsOf(headers['retry-after']),
    ...(hint !== undefined && { hint }),
  });
}

/** Certificates and addresses are told of, and nothing that was sent. */
function reasonOf(error: unknown): string {
  return messageOf(error) || (systemErrorCode(error) ?? 'it failed');
}

function undelivered(url: string, because: string): OperatorError {
  return new OperatorError('alert-undelivered', `${shownUrl(url)}: ${because}`, { retryable: true });
}
