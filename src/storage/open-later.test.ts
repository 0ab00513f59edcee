import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { silentLog } from '../lib/log.ts';
import { bytesOf, collect, read } from './contract-tools.ts';
import { openStore, openStoreOrLater } from './drivers.ts';
import { MemoryStore } from './memory/driver.ts';
import { openNowOrLater } from './open-later.ts';
import { storageOptions } from './options.ts';

const directory = await mkdtemp(join(tmpdir(), 'pghoard-open-later-'));
after(() => rm(directory, { recursive: true }));

/** A store whose opening can be kept from succeeding. */
function lockable() {
  const state = { because: new Error('no key') as Error | undefined, attempts: 0 };
  const memory = new MemoryStore();
  const open = async () => {
    state.attempts++;
    await Promise.resolve();
    if (state.because) throw state.because;
    return memory;
  };
  return { state, memory, open };
}

test('what cannot be opened refuses each request with the reason, until it can be', async () => {
  const { state, open } = lockable();
  const store = await openNowOrLater('the store', open);
  const requests = [
    () => store.put('a', bytesOf('1'), { metadata: {} }),
    () => store.get('a'),
    () => store.head('a'),
    () => collect(store.list('')),
    () => store.delete('a'),
    () => store.deleteMany(['a']),
    () => store.removeUnfinished('', { before: new Date(0) }),
    () => store.create(),
  ];
  for (const request of requests) await assert.rejects(request, { code: 'store-denied', retryable: false, cause: state.because });
  assert.equal(state.attempts, 1 + requests.length);
  state.because = undefined;
  await store.put('a', bytesOf('1'), { metadata: {} });
  assert.equal(await read(store, 'a'), '1');
  assert.equal(state.attempts, 2 + requests.length, 'it is opened once');
  await store.close();
});

test('requests that come at once share one attempt', async () => {
  const { state, open } = lockable();
  const store = await openNowOrLater('the store', open);
  await Promise.allSettled([store.head('a'), store.head('b'), store.head('c')]);
  assert.equal(state.attempts, 2);
});

test('what can be opened is there as it is', async () => {
  const { state, memory, open } = lockable();
  state.because = undefined;
  assert.equal(await openNowOrLater('the store', open), memory);
});

const connection = `DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=${Buffer.from('key').toString('base64')};EndpointSuffix=core.windows.net`;
const kinds = [
  { storage_type: 's3', bucket_name: 'b', prefix: 'p' },
  { storage_type: 'google', bucket_name: 'b', credentials: { type: 'access_token', token: 't' } },
  { storage_type: 'swift', container_name: 'c', auth_url: 'http://127.0.0.1:1/', user: 'u', key: 'k' },
  { storage_type: 'azure', bucket_name: 'b', connection_string: connection },
  { storage_type: 'azure', bucket_name: 'b', account_name: 'acc', account_key: 'a2V5' },
  { storage_type: 'azure', bucket_name: 'b', account_name: 'acc', account_key: 'a2V5', host: '127.0.0.1', port: 1, is_secure: false },
];
for (const kind of kinds) {
  test(`${Object.keys(kind).join(', ')}: it has the same name whether its certificates can be read or not`, async () => {
    const file = join(directory, 'none.pem');
    const unopened = storageOptions.parse({ ...kind, cert_path: file });
    await assert.rejects(openStore(unopened), { code: 'store-denied' });
    const later = await openStoreOrLater(unopened, silentLog, []);
    const opened = await openStore(storageOptions.parse(kind));
    assert.equal(later.name, opened.name);
    await assert.rejects(later.head('a'), { code: 'store-denied', message: /none\.pem/ });
    await writeFile(file, '');
    await later.head('a', { signal: AbortSignal.abort(new Error('opened')) }).catch(({ code }) => assert.notEqual(code, 'store-denied'));
    await rm(file);
    await later.close();
    await opened.close();
  });
}

test('options that no store can ever be opened with keep nobody from starting', async () => {
  const options = storageOptions.parse({ storage_type: 'azure', bucket_name: 'b', connection_string: 'garbage' });
  const store = await openStoreOrLater(options, silentLog, []);
  assert.equal(store.name, 'azure container b');
  await assert.rejects(store.head('a'), { code: 'store-denied' });
  await store.close();
});
