import { spawn } from 'node:child_process';
import { OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { exitOf } from '../../lib/subprocess.ts';
import { type AlertEvent, environmentOf } from './alert-event.ts';

export interface CommandRun {
  readonly command: readonly string[];
  readonly event: AlertEvent;
  readonly timeoutMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const outputBytesMax = 4_096;

/** Resolves once it ended with 0. Rejects with `alert-undelivered`. What it prints goes to the log. */
export async function runCommand({ command: [program = '', ...args], event, timeoutMs, log, signal }: CommandRun): Promise<void> {
  signal.throwIfAborted();
  // A group of its own, so that what it starts can be killed with it.
  const env = { ...process.env, ...environmentOf(event) };
  const child = spawn(program, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'], env });
  const output = new OutputTail();
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.add(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(`${JSON.stringify(event)}\n`);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const kill = () => killGroup(child.pid);
  limit.addEventListener('abort', kill, { once: true });
  try {
    const { code, signal: killedBy } = await exitOf(child, program).catch((error: unknown) => {
      throw undelivered(program, 'cannot be started', error);
    });
    signal.throwIfAborted();
    if (output.text !== '') log.info({ command: program, event: event.id, code }, `the alert command said: ${output.text}`);
    if (limit.aborted) throw undelivered(program, `was killed: it took more than ${timeoutMs / 1000} s`);
    if (code !== 0) throw undelivered(program, killedBy === null ? `ended with ${code}` : `was killed by ${killedBy}`);
  } finally {
    limit.removeEventListener('abort', kill);
  }
}

/** The last of what was printed. */
class OutputTail {
  #bytes: Buffer = Buffer.alloc(0);

  add(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(-outputBytesMax);
  }

  get text(): string {
    return this.#bytes.toString().trim();
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

function undelivered(program: string, because: string, cause?: unknown): OperatorError {
  return new OperatorError('alert-undelivered', `the alert command ${program} ${because}`, { retryable: true, cause });
}
