import { Azurite } from '../../../test/support/services/azurite.ts';
import type { StoreDialect } from '../../../test/support/store-faults/fault-world.ts';
import type { Answer } from '../../../test/support/store-faults/http-fault-proxy.ts';
import { testStoreFaults } from '../../../test/support/store-faults/test-store-faults.ts';
import { openAzureStore } from './driver.ts';

const partBytes = 1024 * 1024;
const idleMs = 1_000;
const limits = { partBytes, partBytesMax: partBytes, partsMax: 50_000 };

const queryOf = (url: string) => new URL(url, 'http://store').searchParams;

const dialect: StoreDialect = {
  isUpload: ({ method, url }) => method === 'PUT' && [null, 'block'].includes(queryOf(url).get('comp')) && !queryOf(url).has('restype'),
  isDownload: ({ method, url }) => method === 'GET' && queryOf(url).get('comp') === null,
  isListing: ({ method, url }) => method === 'GET' && queryOf(url).get('comp') === 'list' && queryOf(url).get('prefix') !== '/',
  isCommit: ({ method, url }) => method === 'PUT' && queryOf(url).get('comp') === 'blocklist',
  busy: (seconds) => failure(503, 'ServerBusy', { 'retry-after': String(seconds) }),
  denied: failure(403, 'AuthorizationFailure'),
  clockSkewed: failure(403, 'AuthenticationFailed'),
};

function failure(status: number, code: string, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>As the test has it.\nRequestId:1</Message></Error>`;
  return { status, headers: { 'content-type': 'application/xml', 'x-ms-error-code': code, ...headers }, body };
}

testStoreFaults('azure', dialect, async () => {
  const azurite = await Azurite.start();
  const open = (port: number) => openAzureStore(azurite.options('faults', { port }), { idleMs, limits, pageItemsMax: 5 });
  const store = await open(azurite.port);
  await store.create();
  await store.close();
  return { port: azurite.port, open, partBytes, idleMs, [Symbol.asyncDispose]: () => azurite[Symbol.asyncDispose]() };
});
