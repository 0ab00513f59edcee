import { isOperatorError, OperatorError, systemErrorCode } from '../lib/errors.ts';

/** Turns "no space left" into `disk-full`, which says where. Retryable: room is made by the uploads that go on, or by the operator. */
export async function namingFullDisk<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFullDisk(error)) throw error;
    throw new OperatorError('disk-full', `no space left in ${directory}`, {
      cause: error,
      hint: 'Make room there. PostgreSQL keeps what is not archived yet and offers it again.',
      retryable: true,
    });
  }
}

function isFullDisk(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(systemErrorCode(error) ?? '') || isOperatorError(error, 'disk-full');
}
