import { after } from 'node:test';
import { openS3Store } from '../../../src/storage/s3/driver.ts';
import { CephServer } from '../../support/services/ceph.ts';
import { testEndToEnd } from '../../support/store-end-to-end.ts';

const server = await CephServer.start({ version: '20' });
after(() => server[Symbol.asyncDispose]());

testEndToEnd('s3', async () => {
  const options = server.s3Options({ prefix: 'a/prefix' });
  const store = await openS3Store(options);
  await store.create();
  await store.close();
  return options;
});
