import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { CodecPool } from '../../src/codec/pool.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { openStore } from '../../src/storage/drivers.ts';
import type { StorageOptions } from '../../src/storage/options.ts';
import { unlimited } from '../../src/verify/budget.ts';
import type { VerifyReport } from '../../src/verify/report.ts';
import type { VerifyDeps } from '../../src/verify/verify-deps.ts';
import { type VerifyRequest, verifySite } from '../../src/verify/verify-site.ts';

export interface VerifiedPlace {
  readonly storage: StorageOptions;
  readonly prefix: string;
  readonly privateKeys?: Readonly<Record<string, string>>;
}

/** Verifies sites of local stores, with one pool of threads for all of them. */
export class VerifyBench implements AsyncDisposable {
  readonly pool = new CodecPool(2);

  /** Everything anew, unless asked for otherwise. */
  async verify(
    { storage, prefix, privateKeys = {} }: VerifiedPlace,
    request: VerifyRequest = { again: () => true },
    changes: Partial<VerifyDeps> = {},
  ): Promise<VerifyReport> {
    const store = await openStore(storage);
    try {
      return await verifySite(request, {
        site: prefix,
        catalog: new Catalog(store, new SiteKeys(prefix)),
        storage,
        privateKeys,
        pool: this.pool,
        budget: unlimited,
        whenQuiet: async () => {},
        onFinding: () => {},
        onBytes: () => {},
        clock: systemClock,
        signal: new AbortController().signal,
        ...changes,
      });
    } finally {
      await store.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close();
  }
}
