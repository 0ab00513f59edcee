import { after } from 'node:test';
import { TestGcs } from '../../support/services/gcs.ts';
import { testEndToEnd } from '../../support/store-end-to-end.ts';

const gcs = await TestGcs.start();
after(() => gcs[Symbol.asyncDispose]());

testEndToEnd('google', async () => ({
  storage_type: 'google',
  project_id: 'test-project',
  bucket_name: 'backups',
  api_endpoint: gcs.url,
  credentials: gcs.serviceAccount,
  prefix: 'a/prefix',
}));
