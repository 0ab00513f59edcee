import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { explain, isOperatorError, OperatorError, systemErrorCode } from '../lib/errors.ts';
import { runProgram } from '../lib/subprocess.ts';
import { Urgency, urgent } from '../lib/urgency.ts';
import type { Job } from './job.ts';
import {
  countTo,
  deaf,
  double,
  fillDisk,
  ignoringAbort,
  leaveProcess,
  meet,
  openPipe,
  returnFunction,
  throwBug,
  throwLater,
  untilAborted,
} from './pool.testjobs.ts';
import { CodecPool, runHere } from './pool.ts';
import { workerModule } from './worker.ts';

/** Starts a job and waits until it reports that it has begun. */
async function begin<R>(pool: CodecPool, job: Job<null, R>): Promise<{ abort: AbortController; result: Promise<R>; reports: unknown[] }> {
  const abort = new AbortController();
  const reports: unknown[] = [];
  const begun = Promise.withResolvers<void>();
  const onReport = (message: unknown) => {
    reports.push(message);
    begun.resolve();
  };
  const result = pool.run(job, null, { signal: abort.signal, onReport });
  await Promise.race([begun.promise, result]);
  return { abort, result, reports };
}

test('jobs run on other threads, as many at once as there are threads', async () => {
  await using pool = new CodecPool(3);
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const threads = await Promise.all([1, 2, 3].map(() => pool.run(meet, { arrived, count: 3 })));
  assert.equal(new Set(threads).size, 3);
  assert.ok(!threads.includes(0), 'none on the main thread');
});

test('waiting jobs run in the order they came, on threads that are used again', async () => {
  await using pool = new CodecPool(1);
  const order: number[] = [];
  const results = await Promise.all(
    Array.from({ length: 200 }, async (_, number) => {
      const result = await pool.run(double, number);
      order.push(number);
      return result;
    }),
  );
  assert.deepEqual(order, [...order.keys()]);
  assert.deepEqual(
    results.map(({ doubled }) => doubled),
    order.map((number) => number * 2),
  );
  assert.equal(new Set(results.map(({ threadId }) => threadId)).size, 1);
});

test('an urgent job overtakes those that wait, and has a thread more where only others run', async () => {
  await using pool = new CodecPool(1);
  const slow = await begin(pool, untilAborted);
  const order: string[] = [];
  const add = async (name: string, urgency: Urgency) => {
    await pool.run(double, 1, { urgency });
    order.push(name);
  };
  const hurried = new Urgency(false);
  const waiting = [add('whenever', new Urgency(false)), add('hurried later', hurried)];
  await add('urgent', urgent);
  hurried.hurry();
  await waiting[1];
  assert.deepEqual(order, ['urgent', 'hurried later'], 'the one that nobody waits for has to wait for the slow one');
  slow.abort.abort(new Error('enough'));
  await assert.rejects(slow.result, /enough/);
  await Promise.all(waiting);
});

test('no more threads are started than are needed', async () => {
  await using pool = new CodecPool(8);
  const first = await pool.run(double, 1);
  const second = await pool.run(double, 2);
  assert.equal(first.threadId, second.threadId);
});

test('threads that have nothing to do for a while end, but for one, and are started again when they are needed', async () => {
  const deaths: unknown[] = [];
  await using pool = new CodecPool(3, { idleMsMax: 20, onDied: (death) => deaths.push(death) });
  const runThree = () => {
    const arrived = new Int32Array(new SharedArrayBuffer(4));
    return Promise.all([1, 2, 3].map(() => pool.run(meet, { arrived, count: 3 })));
  };
  const first = await runThree();
  await waitFor(() => pool.alive === 1, { withinMs: 10_000, what: () => `${pool.alive} threads are left` });
  assert.equal(pool.stuck, 0);
  const { threadId } = await pool.run(double, 1);
  assert.ok(first.includes(threadId), 'the one that was left');
  const second = await runThree();
  assert.equal(second.filter((thread) => first.includes(thread)).length, 1);
  assert.deepEqual(deaths, [], 'none of them has died');
});

test('reports arrive in order and before the result', async () => {
  await using pool = new CodecPool(1);
  const reports: unknown[] = [];
  await pool.run(countTo, 5, { onReport: (message) => reports.push(message) });
  assert.deepEqual(reports, [1, 2, 3, 4, 5]);
});

test('an OperatorError and the system error under it come through as they were thrown', async () => {
  await using pool = new CodecPool(1);
  const error: unknown = await pool.run(fillDisk, 'Make room.').catch((reason: unknown) => reason);
  assert.ok(isOperatorError(error, 'disk-full'));
  assert.equal(error.message, 'no room in the spool');
  assert.equal(error.hint, 'Make room.');
  assert.equal(error.retryable, true);
  assert.equal(systemErrorCode(error.cause), 'ENOSPC');
  assert.match(error.stack ?? '', /pool\.testjobs/);
  assert.match(explain(error), /because: ENOSPC: no space left on device, write/);
});

test('a bug in a job stays a bug', async () => {
  await using pool = new CodecPool(1);
  const error: unknown = await pool.run(throwBug, 'a bug').catch((reason: unknown) => reason);
  assert.ok(error instanceof Error && !isOperatorError(error));
  assert.equal(error.name, 'TypeError');
  assert.equal(error.message, 'a bug');
  assert.equal((error.cause as Error).message, 'no error');
});

test('what cannot be sent between threads rejects its job, and the thread goes on', async () => {
  await using pool = new CodecPool(1);
  await assert.rejects(pool.run(returnFunction, 1), /could not be cloned/);
  await assert.rejects(pool.run(double, (() => {}) as unknown as number), { name: 'DataCloneError' });
  assert.equal((await pool.run(double, 4)).doubled, 8);
});

test('a job that there is not rejects', async () => {
  await using pool = new CodecPool(1);
  await assert.rejects(pool.run({ ...double, name: 'triple' }, 1), /exports no job triple/);
  await assert.rejects(pool.run({ ...double, module: 'file:///nowhere/job.js' }, 1), { code: 'ERR_MODULE_NOT_FOUND' });
});

test('an abort reaches the running job, which rejects with the reason of the signal', async () => {
  await using pool = new CodecPool(1);
  const { abort, result, reports } = await begin(pool, untilAborted);
  const reason = new OperatorError('shutting-down', 'we leave');
  abort.abort(reason);
  await assert.rejects(result, (error) => error === reason);
  assert.deepEqual(reports, ['begun', 'stopped because: we leave']);
  assert.equal((await pool.run(double, 1)).doubled, 2);
});

test('a job that finishes in spite of an abort rejects too', async () => {
  await using pool = new CodecPool(1);
  const { abort, result } = await begin(pool, ignoringAbort);
  abort.abort();
  await assert.rejects(result, { name: 'AbortError' });
});

test('an abort takes a waiting job out of the queue, and one before the start keeps it out', async () => {
  await using pool = new CodecPool(1);
  const running = await begin(pool, untilAborted);
  const abort = new AbortController();
  const waiting = pool.run(double, 1, { signal: abort.signal });
  const next = pool.run(double, 2);
  abort.abort(new Error('not any more'));
  await assert.rejects(waiting, { message: 'not any more' });
  await assert.rejects(pool.run(double, 3, { signal: abort.signal }), { message: 'not any more' });
  running.abort.abort();
  await assert.rejects(running.result);
  assert.equal((await next).doubled, 4);
});

test('an abort that was meant for one job does not stop the next', async () => {
  await using pool = new CodecPool(1);
  for (let round = 0; round < 5; round++) {
    const { abort, result } = await begin(pool, ignoringAbort);
    const next = begin(pool, untilAborted);
    abort.abort();
    await assert.rejects(result);
    const { abort: abortNext, result: nextResult, reports } = await next;
    assert.deepEqual(reports, ['begun']);
    abortNext.abort(new Error('mine'));
    await assert.rejects(nextResult, { message: 'mine' });
    assert.deepEqual(reports, ['begun', 'stopped because: mine']);
  }
});

test('a job that does not stop is ended with its thread, and another thread takes its place', async () => {
  await using pool = new CodecPool(1, { abortGraceMs: 20 });
  const { abort, result } = await begin(pool, deaf);
  const waiting = pool.run(double, 5);
  abort.abort(new Error('enough'));
  await assert.rejects(result, { message: 'enough' });
  assert.equal((await waiting).doubled, 10);
});

test('a thread that waits for a dead disk is left to itself, and another thread takes its place', async () => {
  await using directory = await makeTemporaryDirectory();
  const pipe = join(directory.path, 'pipe');
  await runProgram('mkfifo', [pipe]);
  const pool = new CodecPool(1, { abortGraceMs: 20 });
  const abort = new AbortController();
  const begun = Promise.withResolvers<void>();
  const result = pool.run(openPipe, pipe, { signal: abort.signal, onReport: () => begun.resolve() });
  await begun.promise;
  abort.abort(new Error('enough'));
  await assert.rejects(result, { message: 'enough' });
  assert.equal((await pool.run(double, 5)).doubled, 10);
  assert.equal(pool.stuck, 1);
  await pool.close();
  assert.equal(pool.stuck, 1, 'which nobody waits for');
  await writeFile(pipe, '');
  await waitFor(() => pool.stuck === 0, { withinMs: 30_000, what: 'the thread ends once the disk answers' });
});

test('a worker that dies rejects its job as worker-died, and the others run on', async () => {
  const deaths: (string | undefined)[] = [];
  await using pool = new CodecPool(2, { onDied: ({ job }) => void deaths.push(job) });
  const crash = pool.run(throwLater, 'out of the blue');
  const leave = pool.run(leaveProcess, 3);
  const others = Promise.all([1, 2, 3, 4].map((number) => pool.run(double, number)));
  await assert.rejects(
    crash,
    (error) => isOperatorError(error, 'worker-died') && /throwLater/.test(error.message) && /out of the blue/.test(explain(error)),
  );
  await assert.rejects(leave, (error) => isOperatorError(error, 'worker-died') && error.retryable && /code 3/.test(explain(error)));
  assert.deepEqual(
    (await others).map(({ doubled }) => doubled),
    [2, 4, 6, 8],
  );
  assert.deepEqual(new Set(deaths), new Set(['throwLater', 'leaveProcess']));
});

test('close waits for the jobs there are and takes no more', async () => {
  const pool = new CodecPool(1);
  const { abort, result } = await begin(pool, untilAborted);
  const waiting = pool.run(double, 21);
  const closing = pool.close();
  assert.throws(() => void pool.run(double, 1), /a closed pool runs no jobs/);
  abort.abort(new Error('hurry'));
  await assert.rejects(result, { message: 'hurry' });
  assert.equal((await waiting).doubled, 42);
  await closing;
  await pool.close();
});

test('an idle pool lets the process end, a busy one does not', async () => {
  const poolModule = workerModule.replace(/worker(\.[jt]s)$/, 'pool$1');
  const script = `
    Promise.all([import(${JSON.stringify(poolModule)}), import(${JSON.stringify(double.module)})])
      .then(([{ CodecPool }, { double }]) => new CodecPool(2).run(double, 21))
      .then(({ doubled }) => console.log(doubled));`;
  const { code, stdout, stderr } = await runProgram(process.execPath, ['-e', script], { signal: AbortSignal.timeout(30_000) });
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '42\n', stderr: '' });
});

test('a job can run on the calling thread', async () => {
  const reports: unknown[] = [];
  assert.equal((await runHere(double, 4)).threadId, 0);
  await runHere(countTo, 3, { onReport: (message) => reports.push(message) });
  assert.deepEqual(reports, [1, 2, 3]);
  await assert.rejects(runHere(fillDisk, 'hint'), (error) => isOperatorError(error, 'disk-full'));

  const abort = new AbortController();
  const onReport = () => abort.abort(new Error('stop'));
  await assert.rejects(runHere(untilAborted, null, { signal: abort.signal, onReport }), { message: 'stop' });
  await assert.rejects(runHere(double, 1, { signal: abort.signal }), { message: 'stop' });
});

test('a job that mostly waits begins although no place is left, and takes none', async () => {
  await using pool = new CodecPool(1);
  const stop = new AbortController();
  const waiting = [1, 2].map(() => pool.run(untilAborted, null, { signal: stop.signal, mostlyWaits: true, party: 'a' }));
  const busy = await begin(pool, untilAborted);
  const meeting = { arrived: new Int32Array(new SharedArrayBuffer(4)), count: 2 };
  const threads = await Promise.all([1, 2].map(() => pool.run(meet, meeting, { mostlyWaits: true })));
  assert.equal(new Set(threads).size, 2);
  stop.abort(new Error('enough'));
  busy.abort.abort(new Error('enough'));
  for (const job of [...waiting, busy.result]) await assert.rejects(job, { message: 'enough' });
});
