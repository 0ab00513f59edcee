import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { S3Client } from '@aws-sdk/client-s3';
import { type ListPage, parseListPage } from './list-page.ts';

interface HttpRequest {
  readonly protocol: string;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

const bodyHashes = new WeakMap<object, string>();

/** SHA-256 of a body that is to be sent, in hexadecimal: the SDK would compute it in one go while everybody waits. */
export function rememberBodyHash(body: Buffer, sha256: string): void {
  bodyHashes.set(body, sha256);
}

/** Changes requests after the SDK has built them and before it signs them. */
export function addOurHeaders(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        const request = args.request as HttpRequest;
        if (commandName === 'PutObjectCommand' || commandName === 'UploadPartCommand') setBodyHash(request);
        if (commandName === 'DeleteObjectsCommand' || commandName === 'PutObjectRetentionCommand') setContentMd5(request);
        return next(args);
      },
    { step: 'build', priority: 'low', name: 'pghoardHeaders' },
  );
}

interface HttpResponse {
  readonly statusCode: number;
  body: unknown;
}

const listPages = new WeakMap<object, ListPage>();

/** What was listed, by the input of the request that asked for it. */
export function listPageOf(input: object): ListPage | undefined {
  return listPages.get(input);
}

/** Reads pages of listings in place of the SDK, which gets an empty one. */
export function readListPages(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args);
        const response = result.response as HttpResponse;
        if (commandName !== 'ListObjectsV2Command' || response.statusCode !== 200) return result;
        const page = parseListPage(await text(response.body as Readable));
        if (page) listPages.set(args.input, page);
        response.body = Buffer.from('<ListBucketResult/>');
        return result;
      },
    { step: 'deserialize', priority: 'low', name: 'pghoardListPages' },
  );
}

/** Who answers with a page of something else has deleted nothing; the SDK would find no failures in it. */
export function checkDeletions(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args);
        const response = result.response as HttpResponse;
        if (commandName !== 'DeleteObjectsCommand' || response.statusCode !== 200) return result;
        const xml = await text(response.body as Readable);
        if (!/<(DeleteResult|Error)[\s/>]/.test(xml)) throw new Error('the answer is not that of S3 to a deletion');
        response.body = Buffer.from(xml);
        return result;
      },
    { step: 'deserialize', priority: 'low', name: 'pghoardDeletions' },
  );
}

/** TLS protects a body on the way, and its MD5 sum is signed. */
function setBodyHash({ protocol, headers, body }: HttpRequest): void {
  const hash = protocol === 'https:' ? 'UNSIGNED-PAYLOAD' : bodyHashes.get(body as object);
  if (hash !== undefined) headers['x-amz-content-sha256'] = hash;
}

/** In place of the CRC32 that the SDK sends: these requests need a checksum, and some stores only know this one. */
function setContentMd5({ headers, body }: HttpRequest): void {
  for (const name of Object.keys(headers)) if (/^x-amz-(sdk-)?checksum/i.test(name)) delete headers[name];
  headers['content-md5'] = createHash('md5')
    .update(body as string | Uint8Array)
    .digest('base64');
}
