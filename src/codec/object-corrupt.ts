import { OperatorError } from '../lib/errors.ts';

/** The error for stored bytes that are damaged, incomplete or not in the format they are said to be in. `what` completes "the object is damaged: …". */
export function objectCorrupt(what: string, cause?: unknown): OperatorError {
  return new OperatorError('object-corrupt', `the object is damaged: ${what}`, {
    cause,
    hint: 'Nothing that was read from it can be trusted. Fetch it again; if that does not help, use another backup and check the store.',
  });
}
