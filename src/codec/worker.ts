import assert from 'node:assert';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Job } from './job.ts';
import { type PackedError, packError, unpackError } from './packed-error.ts';
import { beginStepTimes, endStepTimes, type StepTimes } from './step-times.ts';
import { endLeftoverPrograms } from './xz-program.ts';

/** Where a pool finds what its workers run; the same code runs from the sources and from the compiled files. */
export const workerModule = import.meta.url;
/** Marks a thread as a worker of a pool: other threads import this module only for its address. */
export const workerMark = 'pghoard-codec-worker';

/** One job at a time. */
export type ToWorker =
  | { readonly type: 'run'; readonly module: string; readonly name: string; readonly input: unknown; readonly isMeasured: boolean }
  | { readonly type: 'abort'; readonly reason: PackedError };

export type FromWorker =
  | { readonly type: 'report'; readonly message: unknown }
  | { readonly type: 'done'; readonly result: unknown; readonly steps?: StepTimes }
  | { readonly type: 'failed'; readonly error: PackedError };

if (parentPort && workerData === workerMark) serve(parentPort);

function serve(port: MessagePort): void {
  const send = (message: FromWorker) => port.postMessage(message);
  let abort = new AbortController();
  port.on('message', (message: ToWorker) => {
    if (message.type === 'abort') return abort.abort(unpackError(message.reason));
    abort = new AbortController();
    return void runJob(message, abort.signal, send);
  });
}

async function runJob(order: ToWorker & { type: 'run' }, signal: AbortSignal, send: (message: FromWorker) => void): Promise<void> {
  try {
    const job = await findJob(order.module, order.name);
    if (order.isMeasured) beginStepTimes();
    const result = await job.run(order.input, { signal, report: (message) => send({ type: 'report', message }) });
    const steps = endStepTimes();
    send({ type: 'done', result, ...(steps && { steps }) });
  } catch (error) {
    send({ type: 'failed', error: packError(error) });
  } finally {
    endLeftoverPrograms();
  }
}

async function findJob(module: string, name: string): Promise<Job<unknown, unknown>> {
  const exports = (await import(module)) as Record<string, Partial<Job<unknown, unknown>> | undefined>;
  const job = exports[name];
  assert(typeof job?.run === 'function', `${module} exports no job ${name}`);
  return job as Job<unknown, unknown>;
}
