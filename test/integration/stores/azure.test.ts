import { after } from 'node:test';
import { Azurite } from '../../support/services/azurite.ts';
import { testEndToEnd } from '../../support/store-end-to-end.ts';

const azurite = await Azurite.start();
after(() => azurite[Symbol.asyncDispose]());

testEndToEnd('azure', async () => azurite.options('end-to-end', { prefix: 'a/prefix' }));
