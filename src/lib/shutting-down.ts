import { OperatorError } from './errors.ts';

/** Why something is given up that would have gone on: pghoard stops, or begins anew with another configuration. Asking again later may succeed. */
export function shuttingDown(what = 'pghoard'): OperatorError {
  return new OperatorError('shutting-down', `${what} is shutting down`, { retryable: true });
}
