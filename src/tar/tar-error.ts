import { isOperatorError, OperatorError } from '../lib/errors.ts';

/** The archive is damaged: `what` names what is wrong with it. */
export function tarCorrupt(what: string): OperatorError {
  return new OperatorError('tar-corrupt', `the tar archive is damaged: ${what}`, {
    hint: 'Restore another base backup, and check the storage that holds this one.',
  });
}

/** The archive may be sound, but holds something that no PostgreSQL data directory holds. */
export function tarUnsupported(what: string): OperatorError {
  return new OperatorError('tar-unsupported', `the tar archive holds ${what}`, {
    hint: 'It was not written by a base backup. Unpack it with GNU tar if it is to be trusted.',
  });
}

/** Adds to an error of `parse` where in the archive the trouble is. */
export function locatedAt<T>(offset: number, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!isOperatorError(error)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    throw new OperatorError(error.code, `${error.message} (in the header at byte ${offset})`, hint);
  }
}
