import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Clock } from '../../lib/clock.ts';
import { OperatorError } from '../../lib/errors.ts';

/** Tells a receiver whose child it is. */
const markName = 'PGHOARD_RECEIVER_OF';
const goneWithinMs = 10_000;
const lookEveryMs = 20;

/** Added to the environment of a receiver. */
export function receiverMark(): Record<string, string> {
  return { [markName]: String(process.pid) };
}

/**
 * Ends receivers that write to `directory` and whose daemon is gone: two of them in one directory would spoil each other's files. Found by their
 * command lines in `/proc`; where there is none, nothing is found. Rejects with `receiver-running` for one whose daemon lives, or that no daemon
 * of ours has started. Resolves to the process ids of those that were ended.
 */
export async function endLeftoverReceivers(directory: string, clock: Clock, signal: AbortSignal): Promise<number[]> {
  const found = await receiversOn(directory);
  const owned = found.find(({ parent, daemon }) => daemon === undefined || daemon === parent);
  if (owned !== undefined) {
    throw new OperatorError('receiver-running', `process ${owned.pid} receives WAL into ${directory}, started by process ${owned.parent}`, {
      retryable: true,
      hint: 'Only one daemon may use a "backup_location". End the other, or the receiver if its daemon is gone.',
    });
  }
  for (const { pid } of found) kill(pid);
  const deadline = clock.monotonicMs() + goneWithinMs;
  while (found.length > 0 && (await receiversOn(directory)).length > 0) {
    if (clock.monotonicMs() > deadline) {
      throw new OperatorError(
        'receiver-running',
        `process ${found.map(({ pid }) => pid).join(', ')} receives WAL into ${directory} and cannot be ended`,
        {
          retryable: true,
        },
      );
    }
    await clock.sleep(lookEveryMs, signal);
  }
  return found.map(({ pid }) => pid);
}

interface FoundReceiver {
  readonly pid: number;
  readonly parent: number;
  /** The daemon that started it; undefined for one that is not ours. */
  readonly daemon: number | undefined;
}

async function receiversOn(directory: string): Promise<FoundReceiver[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((entry) => /^\d+$/.test(entry)).map(Number);
  const found = await Promise.all(pids.map((pid) => receiverAt(pid, directory)));
  return found.filter((receiver) => receiver !== undefined);
}

/** A zombie has no command line. What belongs to others, or has just ended, cannot be read and is none of ours. */
async function receiverAt(pid: number, directory: string): Promise<FoundReceiver | undefined> {
  try {
    const [program = '', ...args] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    if (!['pg_receivewal', 'pg_receivexlog'].includes(basename(program))) return undefined;
    if (args[args.indexOf('--directory') + 1] !== directory) return undefined;
    const environment = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
    const mark = environment.find((line) => line.startsWith(`${markName}=`))?.slice(markName.length + 1);
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return { pid, parent, daemon: mark === undefined ? undefined : Number(mark) };
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
