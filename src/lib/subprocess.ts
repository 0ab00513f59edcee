import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { OperatorError } from './errors.ts';

/** What is kept of a child's standard error for messages. */
const tailBytesMax = 8192;

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
  readonly signal?: AbortSignal;
  /** One that takes longer is ended with SIGKILL, which also a stopped one heeds. */
  readonly msMax?: number;
  /** Written to its standard input, which is then closed. */
  readonly input?: string | Uint8Array;
}

export interface ProgramResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** At most the last 8 KiB. */
  readonly stderr: string;
}

/** Runs a program to its end. Rejects with `program-missing` if it cannot be started; any exit code is a result. */
export async function runProgram(file: string, args: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  const { input, msMax, ...rest } = options;
  const limit = msMax === undefined ? {} : { timeout: msMax, killSignal: 'SIGKILL' as const };
  const child = spawn(file, args, { ...rest, ...limit, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
  const stdout: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  const stderr = tailOf(child);
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  const { code, signal } = await exitOf(child, file);
  return { code, signal, stdout: Buffer.concat(stdout).toString(), stderr: stderr() };
}

/** Waits for a child's end. Rejects with `program-missing` if it could not be started. */
export async function exitOf(child: ChildProcess, file: string): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return { code, signal };
  } catch (error) {
    throw new OperatorError('program-missing', `cannot run ${file}`, { cause: error });
  }
}

/** Collects the end of a child's standard error. */
export function tailOf(child: ChildProcess): () => string {
  let tail = Buffer.alloc(0);
  child.stderr?.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-tailBytesMax);
  });
  return () => tail.toString().trimEnd();
}
