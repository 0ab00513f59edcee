import { TestSwift } from '../../../test/support/services/swift.ts';
import type { StoreDialect } from '../../../test/support/store-faults/fault-world.ts';
import { type FaultSubject, testStoreFaults } from '../../../test/support/store-faults/test-store-faults.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { openSwiftStore } from './driver.ts';
import { swiftStorageOptions } from './options.ts';

const container = 'faults';
const idleMs = 1_500;
const partBytes = 256 * 1024;

const isObject = (url: string) => url.includes(`/${container}/`);

const dialect: StoreDialect = {
  isUpload: ({ method, url, headers }) => method === 'PUT' && isObject(url) && headers['content-length'] !== '0',
  isDownload: ({ method, url }) => method === 'GET' && isObject(url),
  isListing: ({ method, url }) => method === 'GET' && url.includes(`/${container}?`),
  isCommit: ({ method, headers }) => method === 'PUT' && headers['x-object-manifest'] !== undefined,
  busy: (seconds) => ({ status: 498, headers: { 'retry-after': String(seconds) }, body: 'Slow down' }),
  denied: { status: 403, body: '<html><h1>Forbidden</h1><p>Access was denied to this resource.</p></html>' },
};

async function start(): Promise<FaultSubject> {
  const directory = await makeTemporaryDirectory();
  const swift = await TestSwift.start({ directory: directory.path });
  const open = async (port: number) => {
    const login = { ...swift.admin, auth_url: `http://127.0.0.1:${port}/auth/v1.0`, auth_version: 1 };
    const options = { storage_type: 'swift', container_name: container, segment_size: partBytes, ...login };
    const store = await openSwiftStore(swiftStorageOptions.parse(options), { idleMsMax: idleMs, pageEntries: 5 });
    return store;
  };
  const port = Number(new URL(swift.url).port);
  const store = await open(port);
  await store.create();
  await store.close();
  const dispose = async () => {
    await swift.stop();
    await directory[Symbol.asyncDispose]();
  };
  return { port, open, partBytes, idleMs, [Symbol.asyncDispose]: dispose };
}

testStoreFaults('swift', dialect, start);
