import type { Catalog } from '../../src/catalog/catalog.ts';

/** As if a day had passed since the last restore: what was restored is not kept for its recovery any more. */
export async function endRestores({ store, keys }: Catalog): Promise<void> {
  for await (const { key } of store.list(keys.preservationPrefix)) await store.delete(key);
}
