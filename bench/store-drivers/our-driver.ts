import { openStore } from '../../src/storage/drivers.ts';
import type { StorageOptions } from '../../src/storage/options.ts';
import type { StoreClient } from './contest.ts';

/** Our driver with all its layers, as the daemon uses it. */
export async function ourDriver(options: StorageOptions): Promise<StoreClient> {
  const store = await openStore(options);
  return {
    name: 'pghoard',
    put: async (key, source) => {
      await store.put(key, source, { metadata: { hash: 'x' } });
    },
    get: async (key) => {
      let bytes = 0;
      for await (const piece of (await store.get(key)).bytes) bytes += piece.length;
      return bytes;
    },
    close: () => store.close(),
  };
}
