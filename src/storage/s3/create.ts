import { type BucketLocationConstraint, CreateBucketCommand, HeadBucketCommand } from '@aws-sdk/client-s3';
import type { Asking, S3Connection } from './connection.ts';
import { s3CodeOf, statusOf } from './errors.ts';

export interface BucketWish {
  readonly region: string;
  readonly locks: boolean;
}

/** Makes the bucket where it is missing. One that we may not look at is there. */
export async function createBucket(connection: S3Connection, wish: BucketWish, signal: AbortSignal | undefined): Promise<void> {
  if (await isThere(connection, signal)) return;
  const asking: Asking = { what: 'make the bucket', signal };
  const constraint = wish.region as BucketLocationConstraint;
  const input = {
    Bucket: connection.bucket,
    ...(wish.region !== 'us-east-1' && { CreateBucketConfiguration: { LocationConstraint: constraint } }),
    ...(wish.locks && { ObjectLockEnabledForBucket: true }),
  };
  try {
    await connection.askPlainly(signal, (client, send) => client.send(new CreateBucketCommand(input), send));
  } catch (error) {
    if (s3CodeOf(error) !== 'BucketAlreadyOwnedByYou') throw connection.explain(error, asking);
  }
}

async function isThere(connection: S3Connection, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await connection.askPlainly(signal, (client, send) => client.send(new HeadBucketCommand({ Bucket: connection.bucket }), send));
    return true;
  } catch (error) {
    if (statusOf(error) === 403) return true;
    if (statusOf(error) === 404) return false;
    throw connection.explain(error, { what: 'look at the bucket', signal });
  }
}
