import { OperatorError } from '../../lib/errors.ts';
import { storeUnreachable } from '../store-errors.ts';

/** SSH_FX_…, as version 3 of the protocol and those after it number them. */
export const status = {
  endOfFile: 1,
  missing: 2,
  denied: 3,
  failure: 4,
  badMessage: 5,
  connectionLost: 7,
  unsupported: 8,
  missingPath: 10,
  exists: 11,
  readOnly: 12,
  full: 14,
  quota: 15,
} as const;

/** The connection broke, or the server did not answer. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/** A server that does not know a request says so by a status; so do we for one that we need not ask. */
export class UnsupportedRequest extends Error {
  override readonly name = 'UnsupportedRequest';
  readonly code = status.unsupported;
}

export function hasStatus(error: unknown, ...codes: readonly number[]): boolean {
  const code = statusOf(error);
  return code !== undefined && codes.includes(code);
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  return typeof code === 'number' ? code : undefined;
}

interface Meaning {
  readonly code: string;
  readonly retryable: boolean;
  readonly hint?: string;
}

const full: Meaning = { code: 'store-full', retryable: true, hint: 'Make room on the SFTP server, or raise the quota.' };
const denied: Meaning = {
  code: 'store-denied',
  retryable: false,
  hint: 'Check owner and mode of the directory on the SFTP server, and that it is mounted for writing.',
};
const tooLong: Meaning = { code: 'store-failed', retryable: false, hint: 'The name may be too long for the file system of the server.' };

const meanings: ReadonlyMap<number, Meaning> = new Map([
  [status.denied, denied],
  [status.readOnly, denied],
  [status.full, full],
  [status.quota, full],
  [status.badMessage, tooLong],
]);

/** What the file system behind a failed request is like, where the server tells. */
export interface FileSystemState {
  readonly isFull: boolean;
  readonly isReadOnly: boolean;
}

/** A failure of which the server did not say why, with what could be found out. */
export class ExaminedFailure extends Error {
  override readonly name = 'ExaminedFailure';
  readonly code = status.failure;
  readonly fileSystem: FileSystemState;

  constructor(cause: Error, fileSystem: FileSystemState) {
    super(cause.message, { cause });
    this.fileSystem = fileSystem;
  }
}

/** Turns failures of requests into what {@link ObjectStore} promises. Bugs, aborts and OperatorErrors pass. */
export function asStoreError(what: string, storeName: string, error: unknown): unknown {
  if (error instanceof ConnectionLost || hasStatus(error, status.connectionLost)) return storeUnreachable(what, storeName, error);
  const code = statusOf(error);
  if (code === undefined) return error;
  const { code: ours, retryable, ...rest } = meanings.get(code) ?? meaningOfFailure(error);
  return new OperatorError(ours, `cannot ${what} in ${storeName}`, { cause: error, retryable, ...rest });
}

/** Servers say no more than "failure" of most things. */
function meaningOfFailure(error: unknown): Meaning {
  const { isFull, isReadOnly } = error instanceof ExaminedFailure ? error.fileSystem : { isFull: false, isReadOnly: false };
  if (isFull) return full;
  return isReadOnly ? denied : { code: 'store-failed', retryable: false };
}
