import { isOperatorError } from '../../src/lib/errors.ts';
import { LocalStore } from '../../src/storage/local/driver.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';

/** For driver-faults.test.ts: runs under a file size limit of 64 KiB, and says what a larger put ends with. */
process.on('SIGXFSZ', () => {});
const [directory = ''] = process.argv.slice(2);
const store = new LocalStore({ directory });
await store.put('small', sourceOfBytes(Buffer.alloc(1_000)), { metadata: {} });
await store.put('dir/large', sourceOfBytes(Buffer.alloc(200_000)), { metadata: {} }).catch((error: unknown) => {
  if (!isOperatorError(error)) throw error;
  process.stdout.write(JSON.stringify({ code: error.code, retryable: error.retryable, message: error.message }));
});
