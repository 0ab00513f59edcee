import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Answering, HttpStub, type StubRequest } from '../../../test/support/services/http-stub.ts';
import { S3Stub, s3Error, xml } from '../../../test/support/services/s3-stub.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { bytesOf, patternSource } from '../contract-tools.ts';
import type { ObjectStore } from '../object-store.ts';
import { openS3Store } from './driver.ts';

/** Who we are for the store, found where Amazon's tools look: each in turn with stand-ins on this machine for what gives the credentials out. */

const directory = await makeTemporaryDirectory();
after(() => directory[Symbol.asyncDispose]());

const noKeys = { aws_access_key_id: null, aws_secret_access_key: null };
const soon = () => new Date(performance.timeOrigin + performance.now() + 1_000).toISOString();
const later = () => new Date(performance.timeOrigin + performance.now() + 6 * 60 * 60 * 1000).toISOString();

/** Nothing of this machine's own may be found, and nothing left behind for the next test. */
async function withEnvironment(variables: Readonly<Record<string, string>>, work: () => Promise<void>): Promise<void> {
  const saved = { ...process.env };
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  const nowhere = join(directory.path, 'nowhere');
  Object.assign(
    process.env,
    { AWS_SHARED_CREDENTIALS_FILE: nowhere, AWS_CONFIG_FILE: nowhere, AWS_EC2_METADATA_DISABLED: 'true' },
    variables,
  );
  try {
    await work();
  } finally {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
    Object.assign(process.env, saved);
  }
}

/** A bucket that takes requests of these access keys only. */
function bucketFor(isGood: (accessKey: string, token: string | undefined) => boolean): Promise<S3Stub> {
  return S3Stub.start((request) =>
    isGood(accessKeyOf(request), request.headers['x-amz-security-token'] as string | undefined) ? undefined : s3Error(400, 'ExpiredToken'),
  );
}

function accessKeyOf({ headers }: StubRequest): string {
  return /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1] ?? '';
}

async function opened(stub: S3Stub, others: Readonly<Record<string, unknown>> = noKeys): Promise<ObjectStore & AsyncDisposable> {
  const store = await openS3Store(stub.options({ segment_size: 5 * 1024 * 1024, ...others }));
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

async function assertStores(store: ObjectStore): Promise<void> {
  await store.put('x', bytesOf('content'), { metadata: { a: 'b' } });
}

function stsCredentials(action: string, accessKey: string, expiration: string): ReturnType<typeof xml> {
  const credentials = `<AccessKeyId>${accessKey}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token-${accessKey}</SessionToken>`;
  const result = `<${action}Result><Credentials>${credentials}<Expiration>${expiration}</Expiration></Credentials></${action}Result>`;
  return xml(`<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${result}</${action}Response>`);
}

test('keys and a session token of the configuration go before the environment', async () => {
  await withEnvironment({ AWS_ACCESS_KEY_ID: 'environment', AWS_SECRET_ACCESS_KEY: 's' }, async () => {
    await using stub = await bucketFor((key, token) => key === 'mine' && token === 'session');
    await using store = await opened(stub, { aws_access_key_id: 'mine', aws_secret_access_key: 's', aws_session_token: 'session' });
    await assertStores(store);
  });
});

test('the environment', async () => {
  await withEnvironment({ AWS_ACCESS_KEY_ID: 'environment', AWS_SECRET_ACCESS_KEY: 's', AWS_SESSION_TOKEN: 't' }, async () => {
    await using stub = await bucketFor((key, token) => key === 'environment' && token === 't');
    await using store = await opened(stub);
    await assertStores(store);
  });
});

test('a profile, also one that assumes a role from another', async () => {
  await using sts = await HttpStub.start((request) => {
    assert.equal(accessKeyOf(request), 'profilekey');
    assert.match(request.body.toString(), /RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fbackup/);
    return stsCredentials('AssumeRole', 'rolekey', later());
  });
  const [credentials, config] = [join(directory.path, 'credentials'), join(directory.path, 'config')];
  await writeFile(credentials, '[base]\naws_access_key_id = profilekey\naws_secret_access_key = s\n');
  await writeFile(config, '[profile role]\nrole_arn = arn:aws:iam::1:role/backup\nsource_profile = base\nregion = us-east-1\n');
  const files = { AWS_SHARED_CREDENTIALS_FILE: credentials, AWS_CONFIG_FILE: config, AWS_ENDPOINT_URL_STS: sts.url };
  for (const [profile, expected] of [
    ['base', 'profilekey'],
    ['role', 'rolekey'],
  ] as const)
    await withEnvironment({ ...files, AWS_PROFILE: profile }, async () => {
      await using stub = await bucketFor((key) => key === expected);
      await using store = await opened(stub);
      await assertStores(store);
    });
});

test('role_arn is assumed with the keys of the configuration, and assumed anew before it ends', async () => {
  let given = 0;
  await using sts = await HttpStub.start((request) => {
    assert.equal(accessKeyOf(request), 'mine');
    assert.match(request.body.toString(), /ExternalId=outside/);
    return stsCredentials('AssumeRole', `role${++given}`, given === 1 ? soon() : later());
  });
  await withEnvironment({ AWS_ENDPOINT_URL_STS: sts.url }, async () => {
    await using stub = await bucketFor((key, token) => /^role\d$/.test(key) && token === `token-${key}`);
    const role = { role_arn: 'arn:aws:iam::1:role/backup', role_external_id: 'outside' };
    await using store = await opened(stub, { aws_access_key_id: 'mine', aws_secret_access_key: 's', ...role });
    await assertStores(store);
    await assertStores(store);
    assert.equal(accessKeyOf(stub.seen.at(-1) as StubRequest), 'role2');
    assert.equal(given, 2);
  });
});

test('a store that gives out roles itself is asked where it is', async () => {
  await withEnvironment({}, async () => {
    await using stub = await S3Stub.start((request) => {
      if (request.method === 'POST' && request.path === '/') return stsCredentials('AssumeRole', 'rolekey', later());
      return accessKeyOf(request) === 'rolekey' ? undefined : s3Error(403, 'AccessDenied');
    });
    await using store = await opened(stub, { role_arn: 'arn:aws:iam:::role/backup' });
    await assertStores(store);
  });
});

test('a web identity, whose token file is read again each time', async () => {
  const tokens: string[] = [];
  await using sts = await HttpStub.start(({ body }) => {
    tokens.push(new URLSearchParams(body.toString()).get('WebIdentityToken') ?? '');
    return stsCredentials('AssumeRoleWithWebIdentity', `web${tokens.length}`, soon());
  });
  const file = join(directory.path, 'web-token');
  await writeFile(file, 'first');
  const variables = { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: 'arn:aws:iam::1:role/pod', AWS_ENDPOINT_URL_STS: sts.url };
  await withEnvironment({ ...variables, AWS_REGION: 'us-east-1' }, async () => {
    await using stub = await bucketFor((key, token) => /^web\d+$/.test(key) && token === `token-${key}`);
    await using store = await opened(stub);
    await assertStores(store);
    await writeFile(`${file}.new`, 'second');
    await rename(`${file}.new`, file);
    while (!tokens.includes('second')) await assertStores(store);
    assert.equal(tokens[0], 'first');
  });
});

/** Credentials as containers and instances get them. */
function containerCredentials(accessKey: string, expiration: string): ReturnType<Answering> {
  const body = JSON.stringify({ AccessKeyId: accessKey, SecretAccessKey: 's', Token: `token-${accessKey}`, Expiration: expiration });
  return { headers: { 'content-type': 'application/json' }, body };
}

test('a container’s credentials, as pods get them too, with a token file', async () => {
  const file = join(directory.path, 'pod-token');
  await writeFile(file, 'pod');
  await using agent = await HttpStub.start(({ headers }) =>
    headers.authorization === 'pod' ? containerCredentials('container', later()) : { status: 403 },
  );
  const variables = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${agent.url}/v1/credentials`, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file };
  await withEnvironment(variables, async () => {
    await using stub = await bucketFor((key, token) => key === 'container' && token === 'token-container');
    await using store = await opened(stub);
    await assertStores(store);
  });
});

/** The metadata service of an instance, version 2. */
function instanceService(accessKey: () => string | undefined): Promise<HttpStub> {
  return HttpStub.start(({ method, path, headers }) => {
    const key = accessKey();
    if (key === undefined) return { status: 503 };
    if (method === 'PUT' && path === '/latest/api/token')
      return { body: 'imds-token', headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' } };
    if (headers['x-aws-ec2-metadata-token'] !== 'imds-token') return { status: 401 };
    if (!path.startsWith('/latest/meta-data/iam/')) return { status: 404 };
    return path.endsWith('/backup-role') ? containerCredentials(key, later()) : { body: 'backup-role' };
  });
}

test('an instance’s role (IMDSv2), also where the service is down at first', async () => {
  let key: string | undefined;
  await using imds = await instanceService(() => key);
  await withEnvironment({ AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url }, async () => {
    await using stub = await bucketFor((accessKey) => accessKey === 'instance');
    await using store = await opened(stub);
    await assert.rejects(store.head('x'), { code: 'store-denied', retryable: true, hint: /credentials/ });
    key = 'instance';
    await assertStores(store);
  });
});

test('an identity that cannot be had is not replaced by another one', async () => {
  await using imds = await instanceService(() => 'instance');
  await using sts = await HttpStub.start(() => ({ status: 503 }));
  const file = join(directory.path, 'other-token');
  await writeFile(file, 'token');
  const web = {
    AWS_WEB_IDENTITY_TOKEN_FILE: file,
    AWS_ROLE_ARN: 'arn:aws:iam::1:role/pod',
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_MAX_ATTEMPTS: '1',
  };
  const variables = { ...web, AWS_REGION: 'us-east-1', AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url };
  await withEnvironment(variables, async () => {
    await using stub = await bucketFor(() => true);
    await using store = await opened(stub);
    await assert.rejects(store.put('x', bytesOf('x'), { metadata: {} }), { retryable: true });
    assert.deepEqual(stub.seen, []);
  });
});

test('credentials that the store takes no longer in the middle of an upload are asked for anew', async () => {
  let given = 0;
  await using agent = await HttpStub.start(() => containerCredentials(`container${++given}`, later()));
  await withEnvironment({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${agent.url}/` }, async () => {
    let parts = 0;
    await using stub = await S3Stub.start((request) => {
      if (request.query.has('partNumber')) parts++;
      return accessKeyOf(request) === (parts < 2 ? 'container1' : 'container2') ? undefined : s3Error(400, 'ExpiredToken');
    });
    await using store = await opened(stub);
    const size = 3 * 5 * 1024 * 1024 + 1;
    await store.put('x', patternSource(size).source, { metadata: {} });
    assert.equal(stub.objects.get('x')?.body.length, size);
  });
});

test('credentials that ended, and that nobody renews, are named', async () => {
  await withEnvironment({}, async () => {
    await using stub = await bucketFor(() => false);
    await using store = await opened(stub, { aws_access_key_id: 'old', aws_secret_access_key: 's', aws_session_token: 'old' });
    await assert.rejects(store.head('x'), { code: 'store-denied', hint: /expired/ });
  });
});

test('a region that nobody names is asked for', async () => {
  await withEnvironment({}, async () => {
    await using stub = await S3Stub.start();
    await using store = await opened(stub, { host: null, port: null });
    for (const work of [() => store.head('x'), () => store.create(), () => store.put('x', bytesOf('x'), { metadata: {} })])
      await assert.rejects(work, { code: 'store-failed', retryable: false, hint: /Set region/ });
    assert.deepEqual(stub.seen, []);
  });
});

test('somebody who stops does not wait for credentials that do not come', async () => {
  await withEnvironment({ AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:1/' }, async () => {
    await using stub = await bucketFor(() => true);
    await using store = await opened(stub);
    const stop = new AbortController();
    const asked = store.head('x', { signal: stop.signal });
    stop.abort(new Error('stopped by the test'));
    await assert.rejects(asked, /stopped by the test/);
  });
});
