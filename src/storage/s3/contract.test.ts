import { after, before, describe, test } from 'node:test';
import { CephServer, type CephVersion } from '../../../test/support/services/ceph.ts';
import { objectStoreContract } from '../contract.ts';
import { openStore } from '../drivers.ts';
import type { ObjectStore } from '../object-store.ts';

/** The contract's large object goes in two parts. */
const segment_size = 5 * 1024 * 1024;

for (const version of ['16', '20'] as const satisfies readonly CephVersion[]) {
  describe(`s3 on Ceph ${version}`, () => {
    let server: CephServer;
    before(async () => {
      server = await CephServer.start({ version });
      const store = await open('');
      await store.create();
      await store.close();
    });
    after(() => server?.[Symbol.asyncDispose]());

    const open = (prefix: string): Promise<ObjectStore> => openStore(server.s3Options({ prefix, segment_size }));

    for (const [index, { fact, holds }] of objectStoreContract.entries()) {
      test(`Ceph ${version}: ${fact}`, async () => {
        const store = await open(`/contract/${index}`);
        try {
          await holds(store);
        } finally {
          await store.close();
        }
      });
    }
  });
}
