import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertTried, type FaultRows } from '../support/fault-rows.ts';
import type { StoreDialect } from '../support/store-faults/fault-world.ts';
import { storeFaultsOf } from '../support/store-faults/store-faults.ts';

/**
 * What may happen to stores, credentials and the network between, by number, and where it is tried: beside the faults that every driver is put through.
 * Each entry is a file, and words of the name of a test there.
 */
const rows: FaultRows = {
  4: {
    fault: '503 for half an hour',
    tried: [
      ['src/transfer/upload-storm.test.ts', 'half an hour of 503'],
      ['src/daemon/metrics/store-metrics.test.ts', 'throttling is counted'],
    ],
  },
  8: {
    fault: 'more parts than a store takes',
    tried: [['src/storage/parts.test.ts', 'what is too large even in the largest parts is refused']],
  },
  9: {
    fault: 'a store without today’s checksums',
    tried: [
      ['src/storage/s3/odd-stores.test.ts', 'batches carry the MD5 sum that older stores insist on, and no newer checksum'],
      ['src/storage/s3/contract.test.ts', 'Ceph'],
    ],
  },
  10: {
    fault: 'a store that is down for a day',
    tried: [['test/fault/store-outage.test.ts', 'WAL is kept, nothing hammers, and all is stored']],
  },
  11: {
    fault: 'a bucket that is gone',
    tried: [
      ['test/fault/store-outage.test.ts', 'has lost the bucket'],
      ['src/catalog/identity-keeper.test.ts', 'a bucket that had backups and is gone is not made again'],
    ],
  },
  12: { fault: 'a suspended account', tried: [['test/fault/store-outage.test.ts', 'a suspended account may still read']] },
  13: {
    fault: 'a listing that misses a new object',
    tried: [['src/wal/gaps/archive-map.test.ts', 'our own uploads are followed, also while everything is being listed']],
  },
  14: { fault: 'two writers of one key', tried: [['src/storage/contract.ts', 'of many creators of one key exactly one wins']] },
  15: {
    fault: 'objects that are locked',
    tried: [['src/retention/prune-locks.test.ts', 'a base backup that a lock keeps stays whole with its WAL']],
  },
  17: {
    fault: 'a flipped bit',
    tried: [
      ['src/storage/s3/odd-stores.test.ts', 'a bit that flips in the store or on the way is found out'],
      ['test/fault/bad-input-objects.test.ts', 'no damage gets as far as something that starts'],
    ],
  },
  18: { fault: 'a hole in the WAL', tried: [['test/fault/wal-hole.test.ts', 'a recovery that meets a hole in the WAL stops there']] },
  20: {
    fault: 'an object in a cold tier',
    tried: [['src/storage/azure/answers.test.ts', 'an object in the archive says so, and how it comes back']],
  },
  21: { fault: 'foreign objects', tried: [['src/catalog/catalog.test.ts', 'junk among the backups is told of and hides nothing']] },
  22: {
    fault: 'millions of objects',
    tried: [['src/storage/s3/many-keys.test.ts', 'takes no more memory at its end than at its beginning']],
  },
  23: {
    fault: 'metadata in other spellings',
    tried: [['src/storage/s3/odd-stores.test.ts', 'metadata as the original wrote them are read']],
  },
  24: {
    fault: 'a token that ends in the middle of a job',
    tried: [
      ['src/storage/google/identity.test.ts', 'a token that is refused before its time is renewed, once for all who had it'],
      ['src/storage/swift/faults.test.ts', 'a token that is refused is renewed once, and a job goes on'],
      ['src/storage/azure/identity.test.ts', 'a token is asked for anew before it runs out'],
    ],
  },
  25: {
    fault: 'a token file that is replaced',
    tried: [['src/storage/s3/identity.test.ts', 'a web identity, whose token file is read again each time']],
  },
  26: { fault: 'a key that is revoked', tried: [['test/fault/store-outage.test.ts', 'does not take the key any more']] },
  27: {
    fault: 'nobody who gives out credentials',
    tried: [
      ['src/storage/s3/identity.test.ts', 'also where the service is down at first'],
      ['src/storage/google/identity.test.ts', 'who gives out tokens may be slow, down or busy for a while'],
    ],
  },
  28: {
    fault: 'names, certificates and proxies',
    tried: [
      ['src/storage/s3/way.test.ts', 'names that do not resolve and ports on which nobody listens are told apart'],
      ['src/storage/s3/way.test.ts', 'a certificate that is not trusted, or for another host, is refused'],
      ['src/storage/s3/way.test.ts', 'an HTTP proxy with a password, and one that refuses it'],
    ],
  },
};

const never = () => false;
const dialect: StoreDialect = {
  isUpload: never,
  isDownload: never,
  isListing: never,
  isCommit: never,
  busy: () => ({ status: 503 }),
  denied: { status: 403 },
};

test('each of the faults 1 to 29 is tried somewhere', async () => {
  const byEveryDriver = new Set(storeFaultsOf(dialect).map(({ row }) => row));
  for (let row = 1; row <= 29; row++) assert.ok(byEveryDriver.has(row) || rows[row], `nobody tries fault ${row}`);
  await assertTried(rows);
});
