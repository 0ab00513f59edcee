import { after } from 'node:test';
import { TestSwift } from '../../support/services/swift.ts';
import { testEndToEnd } from '../../support/store-end-to-end.ts';
import { makeTemporaryDirectory } from '../../support/temporary-directory.ts';

const directory = await makeTemporaryDirectory();
const swift = await TestSwift.start({ directory: directory.path });
after(async () => {
  await swift.stop();
  await directory[Symbol.asyncDispose]();
});

/** Chunks are larger than a segment, so that all that can be in segments is. */
testEndToEnd('swift', async () => ({
  storage_type: 'swift',
  container_name: 'backups',
  auth_version: 1,
  auth_url: swift.authUrl,
  ...swift.admin,
  prefix: 'a/prefix',
  segment_size: 256 * 1024,
}));
