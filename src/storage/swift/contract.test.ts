import { after, before, test } from 'node:test';
import { TestSwift } from '../../../test/support/services/swift.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { objectStoreContract } from '../contract.ts';
import { withKeyChecks } from '../with-key-checks.ts';
import { withPrefix } from '../with-prefix.ts';
import { openSwiftStore, type SwiftStore } from './driver.ts';
import { type SwiftStorageOptions, swiftStorageOptions } from './options.ts';

let directory: TemporaryDirectory;
let swift: TestSwift;
let store: SwiftStore;

before(async () => {
  directory = await makeTemporaryDirectory();
  swift = await TestSwift.start({ directory: directory.path });
  store = await openSwiftStore(storeOptions());
  await store.create();
});

after(async () => {
  await store.close();
  await swift.stop();
  await directory[Symbol.asyncDispose]();
});

function storeOptions(more: Partial<SwiftStorageOptions> = {}): SwiftStorageOptions {
  const login = { ...swift.admin, auth_url: swift.authUrl, auth_version: 1 };
  return { ...swiftStorageOptions.parse({ storage_type: 'swift', container_name: 'contract', ...login }), ...more };
}

for (const [i, { fact, holds }] of objectStoreContract.entries()) {
  test(`swift: ${fact}`, async () => {
    await holds(withKeyChecks(withPrefix(store, `fact-${i}`)));
  });
}
