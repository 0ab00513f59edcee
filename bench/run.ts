import { OperatorError } from '../src/lib/errors.ts';
import { type ProgramOptions, runProgram } from '../src/lib/subprocess.ts';

/** Runs a program that must succeed. */
export async function run(file: string, args: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { code, signal, stdout, stderr } = await runProgram(file, args, options);
  if (code === 0) return stdout;
  throw new OperatorError('bench-failed', `${file} ${args.join(' ')} ended with ${signal ?? code}: ${stderr || stdout}`);
}
