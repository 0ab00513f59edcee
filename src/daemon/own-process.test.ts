import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { test } from 'node:test';
import { lookAtOwnProcess } from './own-process.ts';

test('a file and a timer more are seen, and gone when they are', async () => {
  const before = lookAtOwnProcess();
  const file = await open('/dev/null');
  const timer = setTimeout(() => {}, 60_000);
  const during = lookAtOwnProcess();
  await file.close();
  clearTimeout(timer);
  const after = lookAtOwnProcess();

  const counts = [before, during, after].map(({ openFiles, resources }) => [openFiles ?? 0, resources['Timeout'] ?? 0]);
  const [files, timers] = counts[0] as [number, number];
  assert.deepEqual(counts, [
    [files, timers],
    [files + 1, timers + 1],
    [files, timers],
  ]);
  assert.ok((during.threads ?? 0) > 1 && during.memoryBytes > during.heapBytes && during.heapBytes > 0);
  assert.equal(during.pid, process.pid);
});
