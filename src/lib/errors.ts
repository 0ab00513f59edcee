/** What an {@link OperatorError} carries beside its message. */
export interface OperatorErrorOptions {
  /** What led to it; printed as a chain by {@link explain}. */
  readonly cause?: unknown;
  /** What the operator can do next, as a full sentence. */
  readonly hint?: string;
  /** Whether the same attempt may succeed later without anybody changing anything. */
  readonly retryable?: boolean;
  /** Milliseconds that whoever refused asks to be left alone. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * An error that a person can act on: a stable kebab-case `code`, what happened (`message`), why (`cause`) and what to do next (`hint`).
 * Anything else that is thrown is a bug in pghoard.
 */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly code: string;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, options: OperatorErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** True for an {@link OperatorError}, and where codes are given, one that bears one of them. */
export function isOperatorError(error: unknown, ...codes: readonly string[]): error is OperatorError {
  return error instanceof OperatorError && (codes.length === 0 || codes.includes(error.code));
}

/** `ENOENT`, `ECONNREFUSED`, …: the code that Node puts on system errors. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || isOperatorError(error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : undefined;
}

/** What kind of error it is, for counting: the code, where it has one. Never more than there are kinds. */
export function errorName(error: unknown): string {
  if (isOperatorError(error)) return error.code;
  return systemErrorCode(error) ?? (error instanceof Error ? error.name : typeof error);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** Message and causes in one line; a cause that the message tells is not told again. */
export function inWords(error: unknown): string {
  const text = messageOf(error);
  const cause = causeOf(error);
  const why = cause === undefined ? '' : inWords(cause);
  return why === '' || text.includes(why) ? text : `${text}: ${why}`;
}

/** Message, causes and hint as text for a person, without a stack trace; a cause that the message tells is not told again. */
export function explain(error: unknown): string {
  const lines = [messageOf(error)];
  for (let cause = causeOf(error); cause !== undefined; cause = causeOf(cause)) {
    const text = messageOf(cause);
    if (!lines.at(-1)?.includes(text)) lines.push(`  because: ${text}`);
  }
  const hint = firstHint(error);
  if (hint !== undefined) lines.push(`  hint: ${hint}`);
  return lines.join('\n');
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function firstHint(error: unknown): string | undefined {
  for (let link = error; link !== undefined; link = causeOf(link)) {
    if (isOperatorError(link) && link.hint !== undefined) return link.hint;
  }
  return undefined;
}
