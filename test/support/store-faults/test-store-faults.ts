import { after, before, describe, test } from 'node:test';
import type { ObjectStore } from '../../../src/storage/object-store.ts';
import { withPrefix } from '../../../src/storage/with-prefix.ts';
import type { StoreDialect } from './fault-world.ts';
import { HttpFaultProxy } from './http-fault-proxy.ts';
import { storeFaultsOf } from './store-faults.ts';

export interface FaultSubject extends AsyncDisposable {
  /** Where the server listens on 127.0.0.1. */
  readonly port: number;
  /** The driver, without layers, for a server at `http://127.0.0.1:PORT`: the real one or the proxy before it. Its bucket is there already. */
  readonly open: (port: number) => Promise<ObjectStore>;
  /** Above this the driver uploads in parts of this size: the smallest that the store allows. */
  readonly partBytes: number;
  /** How long the driver was told to wait for an answer, or for more of one: one to two seconds. */
  readonly idleMs: number;
}

/** A test for each fault that a store of this kind must survive. The server is started once. */
export function testStoreFaults(name: string, dialect: StoreDialect, start: () => Promise<FaultSubject>): void {
  describe(`faults between ${name} and us`, () => {
    let subject: FaultSubject;
    before(async () => (subject = await start()));
    after(() => subject?.[Symbol.asyncDispose]());

    for (const [index, { row, fact, holds }] of storeFaultsOf(dialect).entries()) {
      test(`${name}, row ${row}: ${fact}`, async () => {
        const { port, open, partBytes, idleMs } = subject;
        const proxy = await HttpFaultProxy.to(port);
        const [through, past] = [await open(proxy.port), await open(port)];
        try {
          const [store, direct] = [withPrefix(through, `fault/${index}`), withPrefix(past, `fault/${index}`)];
          await holds({ store, direct, proxy, dialect, partBytes, idleMs });
        } finally {
          await through.close();
          await past.close();
          await proxy[Symbol.asyncDispose]();
        }
      });
    }
  });
}
