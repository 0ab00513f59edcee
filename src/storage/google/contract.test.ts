import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestGcs } from '../../../test/support/services/gcs.ts';
import { objectStoreContract } from '../contract.ts';
import { openStore } from '../drivers.ts';
import { withKeyChecks } from '../with-key-checks.ts';
import { GoogleStore } from './driver.ts';
import { testOptions } from './test-options.ts';

/** The large objects of the suite go in chunks. */
const chunkBytes = 1024 * 1024;

let gcs: TestGcs;
before(async () => {
  gcs = await TestGcs.start();
});
after(() => gcs[Symbol.asyncDispose]());

for (const [index, { fact, holds }] of objectStoreContract.entries()) {
  test(`google: ${fact}`, async () => {
    gcs.bucket(`alone-${index}`);
    const store = withKeyChecks(await GoogleStore.open(testOptions(gcs, { bucket_name: `alone-${index}` }), { chunkBytes }));
    await holds(store);
    await store.close();
  });

  test(`google behind all layers, prefix with slashes: ${fact}`, async () => {
    const bucket = gcs.bucket('shared');
    const prefix = `/pre//${index}/`;
    const store = await openStore(testOptions(gcs, { bucket_name: bucket.name, prefix }));
    await holds(store);
    await store.close();
    for (const name of bucket.objects.keys()) assert.match(name, /^\/pre\/\/\d+\//);
  });
}
