import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import { OperatorError } from '../lib/errors.ts';
import { defineJob } from './job.ts';

const here = import.meta.url;
const waitMsMax = 20_000;

export const double = defineJob(here, 'double', async (number: number) => ({ doubled: number * 2, threadId }));

/** Returns when as many jobs as `count` are in here at once. */
export const meet = defineJob(here, 'meet', async ({ arrived, count }: { arrived: Int32Array; count: number }) => {
  Atomics.add(arrived, 0, 1);
  Atomics.notify(arrived, 0);
  for (;;) {
    const now = Atomics.load(arrived, 0);
    if (now >= count) return threadId;
    if (Atomics.wait(arrived, 0, now, waitMsMax) === 'timed-out') throw new Error(`only ${now} of ${count} came`);
  }
});

/** Runs until it is aborted, and says that it noticed. */
export const untilAborted = defineJob(here, 'untilAborted', async (_: null, { signal, report }) => {
  report('begun');
  const keepAlive = setInterval(() => {}, 1000);
  if (!signal.aborted) await once(signal, 'abort');
  clearInterval(keepAlive);
  report(`stopped because: ${(signal.reason as Error).message}`);
  throw signal.reason;
});

/** Finishes as if it had not heard of the abort. */
export const ignoringAbort = defineJob(here, 'ignoringAbort', async (_: null, { signal, report }) => {
  report('begun');
  if (!signal.aborted) await once(signal, 'abort');
  return 'done';
});

/** Blocks its thread for ever. */
export const deaf = defineJob(here, 'deaf', async (_: null, { report }) => {
  report('begun');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});

/** Waits in the kernel, as for a dead disk: not even the end of its thread ends that. */
export const openPipe = defineJob(here, 'openPipe', async (path: string, { report }) => {
  report('begun');
  closeSync(openSync(path, 'r'));
});

export const throwLater = defineJob(here, 'throwLater', async (message: string) => {
  setImmediate(() => {
    throw new Error(message);
  });
  await new Promise(() => {});
});

export const leaveProcess = defineJob(here, 'leaveProcess', async (code: number) => process.exit(code));

export const fillDisk = defineJob(here, 'fillDisk', async (hint: string) => {
  try {
    writeFileSync('/dev/full', 'x');
  } catch (cause) {
    throw new OperatorError('disk-full', 'no room in the spool', { cause, hint, retryable: true });
  }
});

export const throwBug = defineJob(here, 'throwBug', async (message: string) => {
  throw new TypeError(message, { cause: 'no error' });
});

export const returnFunction = defineJob(here, 'returnFunction', async (number: number): Promise<unknown> => {
  return () => number;
});

export const countTo = defineJob(here, 'countTo', async (number: number, { report }) => {
  for (let i = 1; i <= number; i++) report(i);
});
