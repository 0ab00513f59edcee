import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../lib/errors.ts';
import type { DrillCheck } from './drill-checks.ts';
import { verdictOf } from './drill-verdict.ts';

const check = (result: DrillCheck['result']): DrillCheck => ({ name: `a ${result} one`, result, because: 'so it is', seconds: 1 });
const answering = () => Promise.resolve();
const silent = () => Promise.reject(new OperatorError('daemon-unreachable', 'nobody answers'));

test('a drill passes whose checks have passed or could not be made, and fails by one that has failed', async () => {
  assert.deepEqual(await verdictOf(undefined, [check('passed'), check('skipped')], answering), { result: 'passed', because: null });
  const failed = await verdictOf(undefined, [check('passed'), check('failed')], answering);
  assert.deepEqual(failed, { result: 'failed', because: 'a failed one: so it is' });
});

test('only what speaks against the backup or its WAL counts as failed; what cannot be told from a daemon that is gone does not', async () => {
  const cases = [
    ['object-corrupt', silent, 'failed'],
    ['basebackup-incomplete', silent, 'failed'],
    ['drill-failed', answering, 'failed'],
    ['drill-failed', silent, 'impossible'],
    ['drill-impossible', answering, 'impossible'],
    ['disk-full', answering, 'impossible'],
    ['store-unreachable', answering, 'impossible'],
    ['key-missing', answering, 'impossible'],
    ['program-missing', answering, 'impossible'],
  ] as const;
  for (const [code, daemon, result] of cases) {
    const verdict = await verdictOf(new OperatorError(code, 'what happened'), [], daemon);
    assert.equal(verdict.result, result, code);
    assert.match(verdict.because ?? '', /what happened/);
  }
  assert.equal((await verdictOf(new Error('a bug'), [], answering)).result, 'impossible');
});
