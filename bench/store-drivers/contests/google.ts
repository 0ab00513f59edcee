import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { type Bucket, Storage } from '@google-cloud/storage';
import { OAuth2Client } from 'google-auth-library';
import { storageOptions } from '../../../src/storage/options.ts';
import type { Contest, StoreClient } from '../contest.ts';
import { ourDriver } from '../our-driver.ts';

interface Double {
  readonly url: string;
  readonly serviceAccount: unknown;
  readonly token: string;
}

const bucketName = 'bench';

/** A double of the JSON API: no server of Google's can be installed. */
export const googleContest: Contest = {
  name: 'google',
  start: async () => {
    const child = fork(fileURLToPath(new URL('../gcs-process.js', import.meta.url)));
    const [double] = (await once(child, 'message')) as [Double];
    const { url: api_endpoint, serviceAccount: credentials } = double;
    const sdk = plainSdk(await makeBucket(double));
    const options = { storage_type: 'google', project_id: 'test-project', bucket_name: bucketName, api_endpoint, credentials };
    const clients = [await ourDriver(storageOptions.parse(options)), sdk];
    return { clients, [Symbol.asyncDispose]: async () => child.disconnect() };
  },
};

async function makeBucket({ url, token }: Double): Promise<Bucket> {
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: token });
  const storage = new Storage({ apiEndpoint: url, projectId: 'test-project', authClient, useAuthWithCustomEndpoint: true });
  const [bucket] = await storage.createBucket(bucketName);
  // It leaves the token out of resumable uploads where this is set.
  storage.useAuthWithCustomEndpoint = true;
  return bucket;
}

/** A resumable upload in chunks of our size, and a stream back, unchecked. */
function plainSdk(bucket: Bucket): StoreClient {
  return {
    name: 'Google SDK',
    put: async (key, source) => {
      const file = bucket.file(key);
      const [uri] = await file.createResumableUpload();
      const upload = file.createWriteStream({ uri, resumable: true, chunkSize: 8 * 1024 * 1024, validation: false });
      await pipeline(Readable.from(source.open()), upload);
    },
    get: async (key) => {
      let bytes = 0;
      for await (const piece of bucket.file(key).createReadStream({ validation: false }) as AsyncIterable<Uint8Array>)
        bytes += piece.length;
      return bytes;
    },
    close: async () => {},
  };
}
