import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '../../../test/support/free-port.ts';
import { TestKeystone } from '../../../test/support/services/keystone.ts';
import { TestSwift } from '../../../test/support/services/swift.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { bytesOf, read } from '../contract-tools.ts';
import { openSwiftStore, type SwiftStore } from './driver.ts';
import { type SwiftStorageOptions, swiftStorageOptions } from './options.ts';

const services = new AsyncDisposableStack();
let keystone: TestKeystone;

before(async () => {
  const directory = services.use(await makeTemporaryDirectory());
  const [swiftDirectory, keystoneDirectory] = [join(directory.path, 'swift'), join(directory.path, 'keystone')];
  await Promise.all([mkdir(swiftDirectory), mkdir(keystoneDirectory)]);
  const port = await freePort();
  keystone = services.use(await TestKeystone.start(keystoneDirectory, `http://127.0.0.1:${port}`));
  services.use(await TestSwift.start({ directory: swiftDirectory, port, keystoneUrl: keystone.url }));
});

after(() => services.disposeAsync());

type Login = Partial<Record<keyof SwiftStorageOptions, unknown>>;

const v3 = (): Login => ({ auth_version: 3, auth_url: `${keystone.url}/v3`, user: 'demo', key: 'demopass', project_name: 'demo' });
const v2 = (): Login => ({ auth_version: 2, auth_url: keystone.urlV2, user: 'demo', key: 'demopass', tenant_name: 'demo' });

async function withStore(login: Login, work: (store: SwiftStore) => Promise<void>): Promise<void> {
  const store = await openSwiftStore(swiftStorageOptions.parse({ storage_type: 'swift', container_name: 'keystone', ...login }));
  try {
    await work(store);
  } finally {
    await store.close();
  }
}

async function storesAndReads(store: SwiftStore): Promise<void> {
  await store.create();
  await store.put('login/one', bytesOf('hello'), { metadata: { host: 'h' } });
  assert.equal(await read(store, 'login/one'), 'hello');
  await store.deleteMany(['login/one', 'login/two']);
}

/** Each costs Keystone two seconds. */
const logins: readonly (readonly [name: string, login: () => Login | Promise<Login>])[] = [
  ['v3, all by default', v3],
  [
    'v3, all that can be told and asked for, without /v3 in the address',
    () => ({
      ...v3(),
      auth_url: keystone.url,
      user_domain_name: 'Default',
      project_domain_name: 'Default',
      project_name: null,
      tenant_name: 'demo',
      region_name: 'RegionOne',
      endpoint_type: 'internalURL',
      service_type: 'object-store',
    }),
  ],
  [
    'v3, an application credential',
    async () => {
      const { id, secret } = await keystone.applicationCredential();
      return { auth_version: 3, auth_url: keystone.url, application_credential_id: id, application_credential_secret: secret };
    },
  ],
  ['v2, the tenant before the user', () => ({ ...v2(), user: 'demo:demo', tenant_name: null })],
];

for (const [name, login] of logins) test(`keystone ${name}: who may is let in`, async () => withStore(await login(), storesAndReads));

const refused: readonly (readonly [name: string, login: () => Login, code: string])[] = [
  ['v3: a wrong password', () => ({ ...v3(), key: 'wrong' }), 'store-denied'],
  ['v2: a wrong password', () => ({ ...v2(), key: 'wrong' }), 'store-denied'],
  ['v3: somebody without a role in the project', () => ({ ...v3(), user: 'swift', key: 'swiftpass' }), 'store-denied'],
  ['v3: somebody who may only look', () => ({ ...v3(), user: 'guest', key: 'guestpass' }), 'store-denied'],
  ['v3: a region that there is not', () => ({ ...v3(), region_name: 'Elsewhere' }), 'store-missing'],
];

for (const [name, login, code] of refused) {
  test(`keystone ${name} is ${code}`, () =>
    withStore(login(), async (store) => {
      const refusal = { code, retryable: false, message: /^(?!.*(wrong|pass))/ };
      await assert.rejects(store.head('login/one'), refusal);
    }));
}
