import { readStoredObject, type StoredObject } from '../../catalog/stored-object.ts';
import { WalIndexCollector } from '../../catalog/wal-index/collect-wal-index.ts';
import { type SealedWalIndex, sealWalIndex } from '../../catalog/wal-index/seal-wal-index.ts';
import { defineJob } from '../../codec/job.ts';
import { OperatorError } from '../../lib/errors.ts';
import { startLsnOf } from '../../postgres/wal-name.ts';

export interface IndexStoredWalInput {
  readonly name: string;
  readonly object: StoredObject;
  /** PEM, where what the site stores is encrypted. */
  readonly publicKey: string | undefined;
}

export interface IndexedStoredWal {
  readonly index: SealedWalIndex;
  /** How much was fetched. */
  readonly storedBytes: number;
}

/** Makes the index of a segment from the store, without touching the disk. Throws as `readStoredObject`, and `object-corrupt` where it is not what its name says. */
export const indexStoredWal = defineJob(
  import.meta.url,
  'indexStoredWal',
  async ({ name, object, publicKey }: IndexStoredWalInput, { signal, report }): Promise<IndexedStoredWal> => {
    const collector = new WalIndexCollector();
    const { sealedBytes: storedBytes } = await readStoredObject(object, (bytes) => collector.update(bytes), {
      signal,
      onStoredBytes: report,
    });
    const index = collector.finish(name);
    if (index === undefined || index.startLsn !== startLsnOf(name, index.segmentBytes)) {
      throw new OperatorError('object-corrupt', `stored WAL ${name} is not what its name says`, {
        hint: 'Recovery cannot go past this segment from here. Look for a copy in the pg_wal of the server or its standbys and archive it again.',
      });
    }
    return { index: await sealWalIndex(index, publicKey), storedBytes };
  },
);
