import { randomUUID } from 'node:crypto';
import { inBatches } from '../../lib/in-batches.ts';
import { forEachLimited } from '../../lib/limiter.ts';
import type { StorageApi } from './api.ts';
import { ApiError, isLocked, isObjectMissing, UnexpectedAnswer } from './errors.ts';
import { objectPath } from './resource.ts';

/** What the store takes in one request. */
const batchMax = 100;
const batchesAtOnce = 4;

export interface Deletion {
  readonly api: StorageApi;
  readonly bucket: string;
  readonly keys: readonly string[];
  readonly signal: AbortSignal | undefined;
}

export interface RefusedDeletion {
  readonly key: string;
  readonly error: ApiError;
}

/** Deletes many objects in few requests. Resolves to those that a lock keeps; any other refusal rejects. */
export async function deleteInBatches(deletion: Deletion): Promise<readonly RefusedDeletion[]> {
  const locked: RefusedDeletion[] = [];
  await forEachLimited(inBatches(deletion.keys, batchMax), batchesAtOnce, async (keys) => {
    locked.push(...(await deleteBatch({ ...deletion, keys })));
  });
  return locked;
}

/** Whether the endpoint, such as an emulator, knows no batches. */
export function isWithoutBatches(error: unknown): boolean {
  return error instanceof ApiError && [404, 405, 501].includes(error.status);
}

async function deleteBatch({ api, bucket, keys, signal }: Deletion): Promise<RefusedDeletion[]> {
  const boundary = randomUUID();
  const calls = keys.map((key, index) => {
    const head = `--${boundary}\r\ncontent-type: application/http\r\ncontent-id: <${index}>\r\n\r\n`;
    return `${head}DELETE ${objectPath(bucket, key)} HTTP/1.1\r\n\r\n\r\n`;
  });
  const { body, headers } = await api.exchange({
    method: 'POST',
    path: '/batch/storage/v1',
    headers: { 'content-type': `multipart/mixed; boundary=${boundary}` },
    body: [Buffer.from(`${calls.join('')}--${boundary}--\r\n`)],
    signal,
  });
  const answers = answersOf(body.toString(), headers['content-type'] ?? '');
  return keys.flatMap((key, index) => {
    const error = refusalIn(answers.get(index));
    return error === undefined ? [] : [{ key, error }];
  });
}

/** Each answer as text, by the number of its call. */
function answersOf(body: string, contentType: string): ReadonlyMap<number, string> {
  const [, quoted, plain] = /boundary=(?:"([^"]+)"|([^;]+))/.exec(contentType) ?? [];
  const answers = new Map<number, string>();
  for (const part of body.split(`--${quoted ?? plain}`)) {
    const index = /^content-id:\s*<response-(\d+)>/im.exec(part)?.[1];
    const start = part.indexOf('HTTP/1.1 ');
    if (index !== undefined && start >= 0) answers.set(Number(index), part.slice(start));
  }
  return answers;
}

/** Undefined where the object is gone now. Throws what concerns more than this object. */
function refusalIn(answer: string | undefined): ApiError | undefined {
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(answer ?? '') ?? [];
  if (answer === undefined || status === undefined) throw new UnexpectedAnswer();
  if (status.startsWith('2')) return undefined;
  const retryAfter = /^retry-after:\s*(\d+)/im.exec(answer)?.[1];
  const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
  const body = Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4));
  const error = new ApiError({ status: Number(status), headers, body });
  if (isObjectMissing(error)) return undefined;
  if (!isLocked(error)) throw error;
  return error;
}
