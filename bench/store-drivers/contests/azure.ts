import { Readable } from 'node:stream';
import { BlobServiceClient } from '@azure/storage-blob';
import { Azurite } from '../../../test/support/services/azurite.ts';
import type { Contest, StoreClient } from '../contest.ts';
import { ourDriver } from '../our-driver.ts';

const container = 'bench';

/** Microsoft's emulator, with objects in memory. */
export const azureContest: Contest = {
  name: 'azure',
  start: async () => {
    const server = await Azurite.start();
    const clients = [await ourDriver(server.options(container)), await plainSdk(server)];
    return { clients, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  },
};

/** uploadStream and download, which send and check no digests. */
async function plainSdk({ connectionString }: Azurite): Promise<StoreClient> {
  const client = BlobServiceClient.fromConnectionString(connectionString).getContainerClient(container);
  await client.createIfNotExists();
  return {
    name: 'Azure SDK',
    put: async (key, source) => {
      await client.getBlockBlobClient(key).uploadStream(Readable.from(source.open()), 8 * 1024 * 1024, 3);
    },
    get: async (key) => {
      const { readableStreamBody } = await client.getBlockBlobClient(key).download();
      let bytes = 0;
      for await (const piece of readableStreamBody as AsyncIterable<Uint8Array>) bytes += piece.length;
      return bytes;
    },
    close: async () => {},
  };
}
