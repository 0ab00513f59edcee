import { OperatorError, systemErrorCode } from '../../lib/errors.ts';

interface Meaning {
  readonly code: string;
  readonly retryable: boolean;
  readonly hint?: string;
}

const full: Meaning = { code: 'store-full', retryable: true, hint: 'Make room in the store, or raise its quota or file size limit.' };
const denied: Meaning = {
  code: 'store-denied',
  retryable: false,
  hint: 'Check owner and mode of the directory, and that it is mounted for writing.',
};
const unreachable: Meaning = { code: 'store-unreachable', retryable: true, hint: 'Check the disk or network mount.' };
const busy: Meaning = { code: 'store-unreachable', retryable: true, hint: 'Raise the limit on open files.' };

const meanings: ReadonlyMap<string, Meaning> = new Map([
  ['ENOSPC', full],
  ['EDQUOT', full],
  ['EFBIG', full],
  ['EACCES', denied],
  ['EPERM', denied],
  ['EROFS', denied],
  ['EIO', unreachable],
  ['ESTALE', unreachable],
  ['ENOTCONN', unreachable],
  ['ETIMEDOUT', unreachable],
  ['EHOSTDOWN', unreachable],
  ['EMFILE', busy],
  ['ENFILE', busy],
]);

/** Runs file system work and turns its errors into what {@link ObjectStore} promises. Bugs, aborts and OperatorErrors pass. */
export async function withStoreErrors<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asStoreError(what, error);
  }
}

export function asStoreError(what: string, error: unknown): unknown {
  const code = systemErrorCode(error);
  if (code === undefined || typeof (error as NodeJS.ErrnoException).errno !== 'number') return error;
  const { code: ours, retryable, ...rest } = meanings.get(code) ?? { code: 'store-failed', retryable: false };
  return new OperatorError(ours, `cannot ${what}`, { cause: error, retryable, ...rest });
}
