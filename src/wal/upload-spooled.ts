import type { Applicant } from '../catalog/identity-keeper.ts';
import { isOperatorError } from '../lib/errors.ts';
import { countFailure, type Metrics } from '../lib/metrics.ts';
import type { Urgency } from '../lib/urgency.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { sourceOfFile } from '../storage/object-source.ts';
import { withChecks } from '../storage/with-checks.ts';
import type { UploadFileType } from '../transfer/file-type.ts';
import type { UploadQueue } from '../transfer/upload-queue.ts';
import type { SpooledWal } from './spooled-wal.ts';
import { expectSameWal, type OurWal, type WalConflictDeps } from './wal-conflict.ts';

export interface UploadSpooledDeps extends WalConflictDeps {
  readonly uploads: UploadQueue;
  /** Asked before each attempt to store a file; rejects where the store is not for the cluster that the file says it is of. */
  readonly admit: (applicant: Applicant, signal: AbortSignal) => Promise<void>;
  readonly metrics: Metrics;
}

export interface UploadWishes {
  readonly urgency: Urgency;
  /** Whether the upload is repeated until it succeeds. */
  readonly isRepeated: boolean;
  /** Of an earlier process. */
  readonly isLeftover?: boolean;
  readonly signal: AbortSignal;
}

/** Stores what is in the spool, and removes it there. Where the name is stored already, `ours` must be the same; what is stored stays in any case. */
export async function uploadSpooled(
  spooled: SpooledWal,
  { urgency, isRepeated, isLeftover = false, signal }: UploadWishes,
  ours: OurWal,
  deps: UploadSpooledDeps,
): Promise<'stored' | 'already-stored'> {
  const { site, uploads, catalog, admit } = deps;
  const { name, path, size, metadata } = spooled;
  const store = withChecks(catalog.store, { beforePut: () => admit({ what: name, ...spooled.seen }, signal) });
  const target = { site, store, key: catalog.walKey(name), fileType: fileTypeOf(name) };
  let result: 'stored' | 'already-stored' = 'stored';
  try {
    const source = sourceOfFile(path, size);
    await uploads.upload({ ...target, source, metadata, createOnly: true, urgency, isRepeated, isLeftover, signal });
  } catch (error) {
    if (!isOperatorError(error, 'object-exists')) throw error;
    await expectSameWal(name, ours, await catalog.store.head(target.key, { signal }), deps);
    result = 'already-stored';
  }
  await removeStored(path, deps);
  return result;
}

async function removeStored(path: string, { spool, metrics }: UploadSpooledDeps): Promise<void> {
  try {
    await spool.remove(path);
  } catch (error) {
    countFailure(metrics, 'handle_upload_unlink', error);
    throw error;
  }
}

function fileTypeOf(name: string): UploadFileType {
  switch (classifyWalFile(name)) {
    case 'history':
      return 'timeline';
    case 'partial':
      return 'xlog_partial';
    default:
      return 'xlog';
  }
}
