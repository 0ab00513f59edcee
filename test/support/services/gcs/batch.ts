import { answer, bodyOf, type Exchange } from './answer.ts';
import type { Buckets } from './bucket.ts';
import { type BodyPart, partsOf } from './multipart.ts';
import { Refusal } from './refusal.ts';

/** Calls that the real service takes in one batch. */
const callsMax = 100;

const boundary = 'batch_of_the_double';

/** Deletions in one request; the real service takes other calls too. */
export async function handleBatch({ request, response }: Exchange, buckets: Buckets): Promise<void> {
  const calls = partsOf(await bodyOf(request), request.headers['content-type'] ?? '');
  if (calls.length > callsMax) throw new Refusal(400, 'badRequest', `The batch request contains more than ${callsMax} calls`);
  const answers = calls.map((call) => `--${boundary}\r\n${answerTo(call, buckets)}\r\n`);
  answer(response, 200, `${answers.join('')}--${boundary}--`, { 'content-type': `multipart/mixed; boundary=${boundary}` });
}

function answerTo({ head, body }: BodyPart, buckets: Buckets): string {
  const id = /content-id:\s*<([^>]+)>/i.exec(head)?.[1] ?? '';
  const start = `Content-Type: application/http\r\nContent-ID: <response-${id}>\r\n\r\n`;
  try {
    const [, bucket = '', name = ''] = /^DELETE \/storage\/v1\/b\/([^/]+)\/o\/([^/ ?]+) HTTP\/1\.1\r\n/.exec(body.toString()) ?? [];
    if (name === '') throw new Refusal(400, 'badRequest', 'Only deletions are part of this double.');
    buckets.find(decodeURIComponent(bucket)).delete(decodeURIComponent(name), new URLSearchParams());
    return `${start}HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n`;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const type = 'Content-Type: application/json; charset=UTF-8';
    return `${start}HTTP/1.1 ${error.status} Refused\r\n${type}\r\nContent-Length: ${error.body.length}\r\n\r\n${error.body.toString()}`;
  }
}
