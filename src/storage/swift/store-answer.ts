import { OperatorError } from '../../lib/errors.ts';
import type { HttpAnswer } from './http-client.ts';

/** Of a listing's page, a catalog, the answer to a deletion of many. */
const jsonBytesMax = 64 * 1024 * 1024;

/** The store answered, but not as the protocol has it: perhaps something in between did. */
export function storeAnswerOdd(what: string, storeName: string, why: string): OperatorError {
  return new OperatorError('store-failed', `cannot ${what}: the answer of ${storeName} is not one of Swift (${why})`, {
    retryable: true,
    hint: 'Is auth_url right, and does a proxy or load balancer answer in place of the store?',
  });
}

/** The answer's JSON; undefined where the body is empty. */
export async function jsonIn(answer: HttpAnswer, what: string, storeName: string): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of answer.bytes) {
    pieces.push(piece);
    size += piece.length;
    if (size > jsonBytesMax) throw storeAnswerOdd(what, storeName, `more than ${jsonBytesMax} bytes`);
  }
  const text = Buffer.concat(pieces).toString('utf8');
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw storeAnswerOdd(what, storeName, 'no JSON');
  }
}
