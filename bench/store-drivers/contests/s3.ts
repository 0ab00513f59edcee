import type { Readable } from 'node:stream';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { collect } from '../../../src/storage/contract-tools.ts';
import { CephServer } from '../../../test/support/services/ceph.ts';
import type { Contest, StoreClient } from '../contest.ts';
import { ourDriver } from '../our-driver.ts';

const bucket = 'bench';

/** Ceph's gateway, with objects in memory. */
export const s3Contest: Contest = {
  name: 's3',
  start: async () => {
    const server = await CephServer.start({ version: '16' });
    const sdk = await plainSdk(server);
    const clients = [await ourDriver(server.s3Options({ bucket_name: bucket })), sdk];
    return { clients, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  },
};

/** PutObject of a buffer and GetObject, as in the first example of the SDK's documentation, which looks at nothing afterwards. */
async function plainSdk({ url, accessKey, secretKey }: CephServer): Promise<StoreClient> {
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
  const checksums = { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' } as const;
  const client = new S3Client({ endpoint: url, region: 'us-east-1', forcePathStyle: true, credentials, ...checksums });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    name: 'AWS SDK',
    put: async (key, source) => {
      const Body = Buffer.concat(await collect(source.open()));
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body }));
    },
    get: async (key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      let bytes = 0;
      for await (const piece of Body as Readable as AsyncIterable<Uint8Array>) bytes += piece.length;
      return bytes;
    },
    close: async () => client.destroy(),
  };
}
