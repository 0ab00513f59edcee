import { OperatorError } from '../lib/errors.ts';

/** Longer chains are cut: a cause may lead back to its error. */
const depthMax = 10;
/** What Node puts on system errors. */
const detailNames = ['code', 'errno', 'syscall', 'path', 'dest', 'address', 'port'] as const;

/** An error as plain data. Structured clone alone would lose its class, its codes and, with the class, what may be done about it. */
export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly details: Readonly<Record<string, string | number>>;
  readonly operator?: { readonly code: string; readonly hint: string | undefined; readonly retryable: boolean };
  readonly cause?: PackedError;
  /** Of an AggregateError. */
  readonly errors?: readonly PackedError[];
}

/** Makes plain data of anything that was thrown. */
export function packError(error: unknown, depth = depthMax): PackedError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: undefined, details: {} };
  const hasCause = error.cause !== undefined && depth > 0;
  const { code, hint, retryable } = error as OperatorError;
  return {
    name: error.name,
    message: error.message,
    stack: error.stack,
    details: error instanceof OperatorError ? {} : detailsOf(error),
    ...(error instanceof OperatorError && { operator: { code, hint, retryable } }),
    ...(hasCause && { cause: packError(error.cause, depth - 1) }),
    ...(error instanceof AggregateError && depth > 0 && { errors: error.errors.map((one) => packError(one, depth - 1)) }),
  };
}

/** The error again: an OperatorError as such, any other one as an Error with its name, stack and codes. */
export function unpackError(packed: PackedError): Error {
  const error = create(packed);
  if (packed.stack !== undefined) error.stack = packed.stack;
  return error;
}

function create(packed: PackedError): Error {
  const { message, operator } = packed;
  const cause = packed.cause && { cause: unpackError(packed.cause) };
  if (operator) {
    const { code, hint, retryable } = operator;
    return new OperatorError(code, message, { ...cause, retryable, ...(hint !== undefined && { hint }) });
  }
  const error = packed.errors ? new AggregateError(packed.errors.map(unpackError), message, cause) : new Error(message, cause);
  if (packed.name !== error.name) Object.defineProperty(error, 'name', { value: packed.name, configurable: true });
  return Object.assign(error, packed.details);
}

function detailsOf(error: Error): Record<string, string | number> {
  const details: Record<string, string | number> = {};
  for (const name of detailNames) {
    const value = (error as unknown as Record<string, unknown>)[name];
    if (typeof value === 'string' || typeof value === 'number') details[name] = value;
  }
  return details;
}
