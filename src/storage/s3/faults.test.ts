import { CephServer } from '../../../test/support/services/ceph.ts';
import type { StoreDialect } from '../../../test/support/store-faults/fault-world.ts';
import type { Answer, SeenRequest } from '../../../test/support/store-faults/http-fault-proxy.ts';
import { testStoreFaults } from '../../../test/support/store-faults/test-store-faults.ts';
import { openS3Store } from './driver.ts';

const partBytes = 5 * 1024 * 1024;
const idleMs = 1_500;

function errorAnswer(status: number, code: string, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>injected</Message></Error>`;
  return { status, headers: { 'content-type': 'application/xml', ...headers }, body };
}

/** Whether it is about an object, not the bucket. */
function isOfObject({ url }: SeenRequest): boolean {
  return /^\/backups\/[^?]/.test(url);
}

const dialect: StoreDialect = {
  isUpload: (request) => request.method === 'PUT' && isOfObject(request),
  isDownload: (request) => request.method === 'GET' && isOfObject(request),
  isListing: ({ method, url }) => method === 'GET' && url.includes('list-type=2'),
  isCommit: ({ method, url }) => method === 'POST' && url.includes('uploadId='),
  busy: (seconds) => errorAnswer(503, 'SlowDown', { 'retry-after': String(seconds) }),
  denied: errorAnswer(403, 'AccessDenied'),
  failedWithSuccess: errorAnswer(200, 'InternalError'),
  clockSkewed: errorAnswer(403, 'RequestTimeTooSkewed'),
};

testStoreFaults('s3', dialect, async () => {
  const server = await CephServer.start({ version: '16' });
  const open = (port: number) => openS3Store(server.s3Options({ port, segment_size: partBytes, read_timeout: idleMs / 1000 }));
  const store = await open(server.port);
  await store.create();
  await store.close();
  return { port: server.port, open, partBytes, idleMs, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
});
