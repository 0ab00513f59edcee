import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { inspect } from 'node:util';
import { accountEmail, goodForeignToken, goodRefreshToken } from '../../../test/support/services/gcs/tokens.ts';
import { TestGcs } from '../../../test/support/services/gcs.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { explain, isOperatorError } from '../../lib/errors.ts';
import { bytesOf, read } from '../contract-tools.ts';
import { GoogleStore } from './driver.ts';
import { testOptions } from './test-options.ts';

let gcs: TestGcs;
let directory: TemporaryDirectory;
before(async () => {
  gcs = await TestGcs.start();
  directory = await makeTemporaryDirectory();
});
after(async () => {
  await gcs[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});
beforeEach(() => {
  gcs.buckets.clear();
  gcs.bucket('backups');
  gcs.log.length = 0;
  gcs.tokens.expiresInSeconds = 3_599;
  for (const name of ['GOOGLE_APPLICATION_CREDENTIALS', 'GCE_METADATA_HOST']) delete process.env[name];
});

const metadata = {};

async function withStore(options: object, use: (store: GoogleStore) => Promise<void>, silenceMs = 5_000): Promise<void> {
  const store = await GoogleStore.open(testOptions(gcs, { credentials: null, ...options }), { silenceMs });
  try {
    await use(store);
  } finally {
    await store.close();
  }
}

async function storesAndReads(store: GoogleStore): Promise<void> {
  await store.put('one', bytesOf('content'), { metadata });
  assert.equal(await read(store, 'one'), 'content');
}

async function fileOf(content: unknown, name = 'credentials.json'): Promise<string> {
  const file = join(directory.path, name);
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

const user = () => ({
  type: 'authorized_user',
  client_id: 'id',
  client_secret: 'the-client-secret',
  refresh_token: goodRefreshToken,
  token_uri: `${gcs.url}/token`,
});

function tokenRequests(): number {
  return gcs.log.filter(({ path }) => /^\/(token|sts|computeMetadata)/.test(path)).length;
}

test('a service account signs for the token_uri of its key file, and asks for no more than storage', async () => {
  await withStore({ credential_file: await fileOf(gcs.serviceAccount) }, storesAndReads);
  const { iss, aud, scope } = gcs.tokens.claims;
  assert.deepEqual([iss, aud, scope], [accountEmail, `${gcs.url}/token`, 'https://www.googleapis.com/auth/devstorage.read_write']);
  assert.equal(tokenRequests(), 1, 'one token does for all requests');
});

test('a service account may stand in the configuration', () => withStore({ credentials: gcs.serviceAccount }, storesAndReads));

test('a user is known by a refresh token', () => withStore({ credentials: user() }, storesAndReads));

for (const key of ['token', 'access_token']) {
  test(`an access token is used as it is (${key})`, async () => {
    const credentials = { type: 'access_token', [key]: gcs.tokens.give() };
    await withStore({ credentials }, async (store) => {
      await storesAndReads(store);
      gcs.tokens.revokeAll();
      await assert.rejects(store.head('one'), { code: 'store-denied' });
    });
    assert.equal(tokenRequests(), 0);
  });
}

test('without credentials, GOOGLE_APPLICATION_CREDENTIALS names their file', async () => {
  process.env['GOOGLE_APPLICATION_CREDENTIALS'] = await fileOf(gcs.serviceAccount);
  await withStore({}, storesAndReads);
  assert.equal(gcs.tokens.claims['aud'], `${gcs.url}/token`);
});

test('without any, the metadata server of the machine is asked', async () => {
  process.env['GCE_METADATA_HOST'] = `127.0.0.1:${gcs.port}`;
  process.env['HOME'] = directory.path;
  await withStore({}, storesAndReads);
  assert.ok(gcs.log.some(({ path }) => path.includes('/service-accounts/default/token')));
});

function federated(file: string): object {
  return {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k8s',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${gcs.url}/sts`,
    credential_source: { file },
  };
}

test('workload identity federation: a token in a file is exchanged, and read again when it was replaced', async () => {
  const tokenFile = await fileOf('an-old-token', 'token');
  await withStore({ credential_file: await fileOf(federated(tokenFile)) }, async (store) => {
    await assert.rejects(store.head('one'), { code: 'store-denied', message: /no access token/ });
    await fileOf(goodForeignToken, 'token');
    await storesAndReads(store);
  });
});

test('federation may stand in the configuration', async () => {
  const credentials = federated(await fileOf(goodForeignToken, 'token'));
  await withStore({ credentials }, storesAndReads);
});

test('a token that is about to expire is renewed before it does', async () => {
  gcs.tokens.expiresInSeconds = 10;
  await withStore({ credentials: gcs.serviceAccount }, async (store) => {
    await storesAndReads(store);
    gcs.tokens.revokeAll();
    assert.equal(await read(store, 'one'), 'content');
  });
  assert.ok(tokenRequests() > 2);
  assert.deepEqual(
    gcs.log.filter(({ status }) => status === 401),
    [],
  );
});

for (const [who, credentials] of [
  ['a service account', () => gcs.serviceAccount],
  ['a user', user],
] as const) {
  test(`${who}: a token that is refused before its time is renewed, once for all who had it`, async () => {
    await withStore({ credentials: credentials() }, async (store) => {
      await store.put('one', bytesOf('content'), { metadata });
      const given = gcs.tokens.given;
      gcs.tokens.revokeAll();
      await Promise.all(Array.from({ length: 8 }, () => store.head('one')));
      assert.equal(gcs.tokens.given, given + 1);
      gcs.tokens.revokeAll();
      assert.equal(await read(store, 'one'), 'content');
      gcs.tokens.revokeAll();
      await store.put('two', bytesOf('more'), { metadata });
    });
  });
}

test('who is refused again with a new token is denied', async () => {
  gcs.faults.push(({ url }) => (url?.startsWith('/storage/') ? { status: 401 } : undefined));
  try {
    await withStore({ credentials: gcs.serviceAccount }, async (store) => {
      await assert.rejects(store.head('one'), { code: 'store-denied', retryable: false });
    });
    assert.equal(gcs.log.filter(({ status }) => status === 401).length, 2);
  } finally {
    gcs.faults.length = 0;
  }
});

test('a wrong key is refused with what to do, and replaced without a restart', async () => {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const credential_file = await fileOf({ ...gcs.serviceAccount, private_key: privateKey });
  await withStore({ credential_file }, async (store) => {
    const denied = { code: 'store-denied', retryable: false, hint: /key still valid/ };
    await assert.rejects(store.put('one', bytesOf('x'), { metadata }), denied);
    await assert.rejects(store.create(), denied);
    await fileOf(gcs.serviceAccount);
    await storesAndReads(store);
  });
});

test('credentials that cannot be used say which and why', async () => {
  for (const [content, why] of [
    ['{ "private', /cannot be read as JSON/],
    [{ type: 'service_account', client_email: 'a' }, /has no private_key/],
    [{ type: 'service_account', client_email: 'a', private_key: 'b' }, /private_key is not one/],
    [{ type: 'magic' }, /type is "magic"/],
  ] as const) {
    const credential_file = await fileOf(content);
    await withStore({ credential_file }, async (store) => {
      const failure = await store.head('one').catch((error: unknown) => error);
      assert.ok(isOperatorError(failure, 'store-denied'), String(failure));
      assert.match(failure.message, why);
      assert.ok(failure.message.includes(credential_file));
    });
  }
});

test('who gives out tokens may be slow, down or busy for a while', async () => {
  const unreachable = { code: 'store-unreachable', retryable: true };
  const credentials = gcs.serviceAccount;
  for (const fault of ['reset', { status: 500 }, 'never answer'] as const) {
    gcs.failNext(/POST \/token/, fault);
    await withStore({ credentials }, (store) => assert.rejects(store.head('one'), unreachable, JSON.stringify(fault)), 300);
  }
  gcs.failNext(/POST \/token/, { status: 429 });
  await withStore({ credentials }, (store) => assert.rejects(store.head('one'), { code: 'store-throttled', retryable: true }));
});

test('no error shows a secret', async () => {
  const secrets = [gcs.serviceAccount.private_key.slice(100, 140), 'the-client-secret', 'a-refresh-token', 'ya29.'];
  const shown: string[] = [];
  for (const credentials of [
    { ...gcs.serviceAccount, client_email: 'nobody' },
    { ...user(), refresh_token: 'a-refresh-token' },
  ]) {
    await withStore({ credentials }, async (store) => {
      const failure = await store.head('one').catch((error: unknown) => error);
      assert.ok(isOperatorError(failure, 'store-denied'));
      shown.push(explain(failure), inspect(failure, { depth: 10 }), JSON.stringify(failure));
    });
  }
  gcs.buckets.clear();
  await withStore({ credentials: gcs.serviceAccount }, async (store) => {
    const failure = await store.head('one').catch((error: unknown) => error);
    shown.push(explain(failure), inspect(failure, { depth: 10 }));
  });
  for (const secret of secrets) assert.ok(!shown.join('\n').includes(secret), secret);
});
