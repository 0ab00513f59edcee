import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Stops processes until it is disposed of. A shell in a process group of its own lets them go on when its input ends, and so also when this process is killed:
 * whoever stands still takes no notice of a signal that asks it to end.
 */
export async function standStill(pids: readonly number[]): Promise<AsyncDisposable> {
  const list = pids.join(' ');
  const keeper = spawn('/bin/sh', ['-c', `kill -STOP ${list}; echo; read -r _; kill -CONT ${list}`], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(keeper.stdout, 'data');
  return {
    [Symbol.asyncDispose]: async () => {
      if (keeper.stdin.writableEnded) return;
      const gone = once(keeper, 'exit');
      keeper.stdin.end();
      await gone;
    },
  };
}
