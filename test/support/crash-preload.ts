import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

/**
 * Loaded into a real daemon and all its threads (`NODE_OPTIONS=--import`), to have it crash where a test wants: the file that `PGHOARD_TEST_CRASH` names holds how.
 * In a worker that is just before a file is made durable, in the midst of a job; `HOW in DIRECTORY` waits for a file in such a one.
 */
const orders = process.env['PGHOARD_TEST_CRASH'] ?? '';

/** Takes the order, so that it is followed once. */
function orderFor(kinds: readonly string[], pathOf = () => ''): string | undefined {
  try {
    const [how = '', directory = ''] = fs.readFileSync(orders, 'utf8').split(' in ');
    if (!kinds.includes(how) || !pathOf().includes(directory)) return undefined;
    fs.rmSync(orders);
    return how;
  } catch {
    return undefined;
  }
}

if (isMainThread) {
  setInterval(() => {
    const order = orderFor(['rejection', 'exception']);
    if (order === 'rejection') void Promise.reject(new Error('a promise that nobody handles'));
    if (order === 'exception') throw new Error('out of the blue');
  }, 20).unref();
} else {
  const { fsyncSync } = fs;
  fs.fsyncSync = (fd) => {
    crash(orderFor(['worker-exits', 'worker-out-of-memory', 'worker-segfaults'], () => fs.readlinkSync(`/proc/self/fd/${fd}`)));
    fsyncSync(fd);
  };
  syncBuiltinESMExports();
}

function crash(how: string | undefined): void {
  if (how === 'worker-segfaults') process.kill(process.pid, 'SIGSEGV');
  if (how === 'worker-out-of-memory') for (const hoard: unknown[] = []; ; ) hoard.push(Array.from({ length: 100_000 }, (_none, n) => [n]));
  if (how === 'worker-exits') process.exit(3);
}
