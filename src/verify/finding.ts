import { isOperatorError, messageOf, type OperatorError } from '../lib/errors.ts';

/**
 * `warning`: everything can be restored, but something is not as it should be. `unread`: nobody knows, as it could not be read: a key is missing, the store refuses.
 * `damaged`: something cannot be restored.
 */
export type Severity = 'warning' | 'unread' | 'damaged';

/** Something that is not as it must be. */
export interface Finding {
  readonly severity: Severity;
  /** As in docs/errors.md. */
  readonly code: string;
  /** Key of the object; of what is missing, the key that it would have. */
  readonly object: string;
  /** In words. */
  readonly what: string;
}

const order: readonly Severity[] = ['warning', 'unread', 'damaged'];

/** Undefined: nothing was found. */
export function worstOf(findings: readonly Finding[]): Severity | undefined {
  return order.findLast((severity) => findings.some((finding) => finding.severity === severity));
}

/** These say nothing of the object, but of who wants to read it. */
const unreadCodes: ReadonlySet<string> = new Set([
  'key-missing',
  'key-wrong',
  'key-invalid',
  'control-file-unsupported',
  'basebackup-format-unsupported',
  'program-missing',
]);

/** What a failure to read an object says of it. Throws the error where it is no answer: the work is ended, the store cannot be used, or it is a bug. */
export function findingOf(error: unknown, object: string): Finding {
  if (!isOperatorError(error)) throw error;
  if (error.code.startsWith('store-')) throw error;
  const severity = error.retryable || unreadCodes.has(error.code) ? 'unread' : 'damaged';
  return { severity, code: error.code, object, what: inOneLine(error) };
}

/** With what led to it. */
export function inOneLine(error: OperatorError): string {
  const words = [messageOf(error)];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) words.push(messageOf(cause));
  return words.join(': ');
}
