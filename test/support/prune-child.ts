import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { prune } from '../../src/retention/prune.ts';
import { deleteOneByOne } from '../../src/storage/delete-many.ts';
import { openStore } from '../../src/storage/drivers.ts';
import type { ObjectStore, RequestOptions } from '../../src/storage/object-store.ts';
import type { StorageOptions } from '../../src/storage/options.ts';
import { passOn } from '../../src/storage/pass-on.ts';

/** For prune-killed.test.ts: prunes a site to two base backups, and is killed in front of, or behind, so many deletions. */
const [storage = '', site = '', deletions = '', when = ''] = process.argv.slice(2);
const inner = await openStore(JSON.parse(storage) as StorageOptions);
let left = Number(deletions);
const killIf = (is: boolean) => {
  if (is && left <= 0) process.kill(process.pid, 'SIGKILL');
};
const deleteOne = async (key: string, options?: RequestOptions) => {
  left--;
  killIf(when === 'before');
  await inner.delete(key, options);
  killIf(when === 'after');
};
const store: ObjectStore = {
  ...passOn(inner),
  delete: deleteOne,
  deleteMany: (keys, options = {}) => deleteOneByOne({ delete: deleteOne }, keys, options),
};
const catalog = new Catalog(store, new SiteKeys(site));
const rules = { countMax: 2, ageDaysMax: undefined, countMin: 2, intervalHours: 24 };
const { signal } = new AbortController();
await prune(await catalog.basebackups(), rules, systemClock.now(), { catalog, log: silentLog, signal });
await inner.close();
