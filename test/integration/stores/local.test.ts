import { join } from 'node:path';
import { after } from 'node:test';
import { testEndToEnd } from '../../support/store-end-to-end.ts';
import { makeTemporaryDirectory } from '../../support/temporary-directory.ts';

const directory = await makeTemporaryDirectory();
after(() => directory[Symbol.asyncDispose]());

testEndToEnd('local', async () => ({ storage_type: 'local', directory: join(directory.path, 'store'), prefix: 'a/prefix' }));
