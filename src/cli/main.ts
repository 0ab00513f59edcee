import { readFileSync } from 'node:fs';
import { format } from 'node:util';
import { explain, isOperatorError } from '../lib/errors.ts';

const lastWordsMsMax = 2_000;

/** Ctrl-C came; the work was stopped cleanly. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/**
 * Runs a command to its exit code. The only place where errors become text and exit codes:
 * an OperatorError is explained on standard error (exit 1), an interruption is named (exit 1), anything else is a bug and shows its stack (exit 70, `EX_SOFTWARE`).
 */
export function runCommand(name: string, main: (argv: string[]) => Promise<number>): void {
  main(process.argv.slice(2)).then(
    (code) => leave(code),
    (error: unknown) => leave(report(name, error)),
  );
}

/** For what nobody caught. `lastWords` are waited for, but not for long. */
export function leaveAfterBug(name: string, error: unknown, lastWords: () => Promise<void>): void {
  const code = report(name, error);
  const limit = new Promise<void>((resolve) => setTimeout(resolve, lastWordsMsMax));
  void Promise.race([limit, lastWords()]).finally(() => leave(code));
}

/** Aborted by Ctrl-C or a plain kill; the second one ends the process at once. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort(new InterruptedError(name)));
  return controller.signal;
}

/** Runs work that Ctrl-C or a plain kill stops cleanly; rejects with {@link InterruptedError} then, whatever the work itself said. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = interruption();
  try {
    return await work(signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** The version of this package. */
export function packageVersion(): string {
  const file = findPackageFile(new URL('.', import.meta.url));
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return version;
}

function report(name: string, error: unknown): number {
  const { code, text } = lastWordsOf(name, error);
  console.error(text);
  return code;
}

/** What a command says that fails by this, and its exit code. */
export function lastWordsOf(name: string, error: unknown): { readonly code: number; readonly text: string } {
  if (error instanceof InterruptedError) return { code: 1, text: '*** interrupted by keyboard ***' };
  if (isOperatorError(error)) return { code: 1, text: `${name}: FATAL: ${error.code}: ${explain(error)}` };
  return { code: 70, text: format(`${name}: this is a bug in pghoard, please report it:`, error) };
}

/** Leaves by itself once output is flushed; handles that something forgot to close must not keep a finished command alive. */
function leave(code: number): void {
  process.exitCode = code;
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

/** The sources lie two floors below package.json, the compiled files three. */
function findPackageFile(from: URL): URL {
  for (const up of ['../../package.json', '../../../package.json']) {
    const file = new URL(up, from);
    try {
      readFileSync(file);
      return file;
    } catch {}
  }
  throw new Error(`package.json not found above ${from.pathname}`);
}
