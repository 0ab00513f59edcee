import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { messageOf, OperatorError, systemErrorCode } from '../../lib/errors.ts';
import type { AlertEvent } from './alert-event.ts';
import { callHttp } from './http-call.ts';
import type { WebhookOptions } from './options.ts';

/** Files are read anew for each event, so that they can be replaced. */
export async function postEvent(options: WebhookOptions, event: AlertEvent, now: Date, signal: AbortSignal): Promise<void> {
  const body = JSON.stringify(event);
  const secret = options.secret_file === null ? undefined : await readSecret(options.secret_file);
  const ca = options.ca_file === null ? undefined : await readText(options.ca_file);
  await callHttp({
    method: 'POST',
    url: options.url,
    headers: {
      'content-type': 'application/json',
      'user-agent': `pghoard/${event.pghoard_version}`,
      ...options.headers,
      ...(secret && signatureHeaders(event.id, now, body, secret)),
    },
    body,
    ca,
    timeoutMs: options.timeout_seconds * 1000,
    signal,
  });
}

/** As Standard Webhooks has it, so that receivers can check it with what they have: HMAC-SHA256 of id, time and body. */
export function signatureHeaders(id: string, now: Date, body: string, secret: Buffer): Record<string, string> {
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

async function readSecret(file: string): Promise<Buffer> {
  const text = (await readText(file)).trim();
  if (text === '') throw unreadable(file, 'it is empty');
  return text.startsWith('whsec_') ? Buffer.from(text.slice('whsec_'.length), 'base64') : Buffer.from(text);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(file, systemErrorCode(error) ?? messageOf(error));
  }
}

/** It may be there the next time. */
function unreadable(file: string, because: string): OperatorError {
  return new OperatorError('alert-undelivered', `${file} cannot be read: ${because}`, { retryable: true });
}
