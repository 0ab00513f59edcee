import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Progress } from '../transfer/progress.ts';
import { RestoreProgress } from './restore-progress.ts';

test('the last state is shown once, also where what ends it early goes out of scope later', async () => {
  const written: string[] = [];
  let asked = 0;
  const shown = new RestoreProgress(new Progress(), { write: (text) => written.push(text) }, undefined, () => `state ${++asked}`);
  shown.start();
  await shown[Symbol.asyncDispose]();
  await shown[Symbol.asyncDispose]();
  assert.deepEqual(written, ['state 1\n']);
});
