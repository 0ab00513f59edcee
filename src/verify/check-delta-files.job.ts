import { createHash } from 'node:crypto';
import { readStoredObject } from '../catalog/stored-object.ts';
import { defineJob } from '../codec/job.ts';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import type { StorageOptions } from '../storage/options.ts';
import type { CheckedFile } from './checked-file.ts';
import { findingOf } from './finding.ts';

export interface CheckDeltaFilesInput {
  readonly files: readonly { readonly name: string; readonly key: string; readonly size: number }[];
  readonly storage: StorageOptions;
  /** PEM by key id. */
  readonly privateKeys: Readonly<Record<string, string>>;
}

/** By which delta backups name contents. */
const contentHash = 'blake2s256';

/** Reads files that delta backups share: the content of each must have the hash that it is named by. */
export const checkDeltaFiles = defineJob(
  import.meta.url,
  'checkDeltaFiles',
  async ({ files, storage, privateKeys }: CheckDeltaFilesInput, { signal, report }): Promise<readonly CheckedFile[]> => {
    const checked: CheckedFile[] = [];
    for (const { name, key, size } of files) {
      const hash = createHash(contentHash);
      try {
        const object = { storage, privateKeys, key, storedBytes: size };
        await readStoredObject(object, (bytes) => void hash.update(bytes), { signal, onStoredBytes: report });
        if (hash.digest('hex') !== name) {
          throw new OperatorError('object-corrupt', 'the object is damaged: its content does not have the hash that it is named by');
        }
        checked.push({ name });
      } catch (error) {
        if (isOperatorError(error, 'object-missing')) checked.push({ name, isGone: true });
        else if (signal.aborted || (isOperatorError(error) && error.retryable)) throw error;
        else checked.push({ name, finding: findingOf(error, key) });
      }
    }
    return checked;
  },
);
