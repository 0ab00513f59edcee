import { TestGcs } from '../../../test/support/services/gcs.ts';
import type { StoreDialect } from '../../../test/support/store-faults/fault-world.ts';
import type { Answer, SeenRequest } from '../../../test/support/store-faults/http-fault-proxy.ts';
import { testStoreFaults } from '../../../test/support/store-faults/test-store-faults.ts';
import { GoogleStore } from './driver.ts';
import { testOptions } from './test-options.ts';

const partBytes = 256 * 1024;
const idleMs = 1_000;

function refusal(code: number, reason: string, message: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: code, headers, body: JSON.stringify({ error: { code, message, errors: [{ reason, message, domain: 'global' }] } }) };
}

function isChunk({ method, url, headers }: SeenRequest): boolean {
  return method === 'PUT' && url.includes('upload_id=') && !String(headers['content-range']).startsWith('bytes */');
}

function isLastChunk(request: SeenRequest): boolean {
  const [, end, total] = /-(\d+)\/(\d+)$/.exec(String(request.headers['content-range'])) ?? [];
  return isChunk(request) && Number(end) + 1 === Number(total);
}

const dialect: StoreDialect = {
  isUpload: (request) => isChunk(request) || request.url.includes('uploadType=multipart'),
  isDownload: ({ url }) => url.includes('alt=media'),
  isListing: ({ method, url }) => method === 'GET' && /\/o\?/.test(url),
  isCommit: isLastChunk,
  busy: (seconds) => refusal(429, 'rateLimitExceeded', 'The object exceeded the rate limit.', { 'retry-after': String(seconds) }),
  denied: refusal(403, 'forbidden', 'backup does not have storage.objects.create access to the Google Cloud Storage object.'),
};

testStoreFaults('google', dialect, async () => {
  const gcs = await TestGcs.start();
  gcs.bucket('backups');
  const open = (port: number) =>
    GoogleStore.open({ ...testOptions(gcs), api_endpoint: `http://127.0.0.1:${port}` }, { chunkBytes: partBytes, silenceMs: idleMs });
  return { port: gcs.port, open, partBytes, idleMs, [Symbol.asyncDispose]: () => gcs[Symbol.asyncDispose]() };
});
