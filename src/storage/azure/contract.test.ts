import { after, before, describe, test } from 'node:test';
import { Azurite } from '../../../test/support/services/azurite.ts';
import { objectStoreContract } from '../contract.ts';
import { openStore } from '../drivers.ts';
import { withKeyChecks } from '../with-key-checks.ts';
import { withPrefix } from '../with-prefix.ts';
import { type AzureStore, openAzureStore } from './driver.ts';

/** So that what the contract calls large goes in blocks, and what it calls many comes in pages. */
const tuning = { limits: { partBytes: 1_000_000, partBytesMax: 1_000_000, partsMax: 50_000 }, pageItemsMax: 7 };

describe('azure', () => {
  let azurite: Azurite;
  let driver: AzureStore;

  before(async () => {
    azurite = await Azurite.start();
    driver = await openAzureStore(azurite.options('contract'), tuning);
    await driver.create();
  });
  after(async () => {
    await driver?.close();
    await azurite?.[Symbol.asyncDispose]();
  });

  for (const [index, { fact, holds }] of objectStoreContract.entries()) {
    test(`azure: ${fact}`, () => holds(withKeyChecks(withPrefix(driver, `fact/${index}`))));
    test(`azure behind all layers: ${fact}`, async () => {
      const store = await openStore(azurite.options('contract', { prefix: `/layers/${index}` }));
      await holds(store);
      await store.close();
    });
  }
});
