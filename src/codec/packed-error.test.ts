import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { explain, isOperatorError, OperatorError, systemErrorCode } from '../lib/errors.ts';
import { packError, unpackError } from './packed-error.ts';

const across = (error: unknown) => unpackError(structuredClone(packError(error)));

test('an OperatorError keeps its code, hint, retryable and the chain of its causes', () => {
  const cause = new OperatorError('inner', 'the inside', { cause: readingNowhere(), hint: 'Look inside.' });
  const error = new OperatorError('outer', 'the outside', { cause, retryable: true });
  const back = across(error);
  assert.ok(isOperatorError(back, 'outer') && back.retryable && back.hint === undefined);
  assert.ok(isOperatorError(back.cause, 'inner') && !back.cause.retryable);
  assert.equal(explain(back), explain(error));
  assert.equal(back.stack, error.stack);
});

test('a system error keeps its codes', () => {
  const back = across(readingNowhere()) as NodeJS.ErrnoException;
  assert.equal(systemErrorCode(back), 'ENOENT');
  assert.deepEqual([back.errno, back.syscall, back.path], [-2, 'open', '/nowhere/at/all']);
});

test('an AggregateError keeps its errors, and other errors their names', () => {
  const back = across(new AggregateError([new RangeError('first'), readingNowhere()]));
  assert.ok(back instanceof AggregateError);
  assert.deepEqual(
    back.errors.map((error: Error) => error.name),
    ['RangeError', 'Error'],
  );
  assert.equal(across(new DOMException('stop', 'AbortError')).name, 'AbortError');
});

test('whatever was thrown arrives as an error', () => {
  for (const thrown of ['text', undefined, null, 7, Symbol('s')]) assert.equal(across(thrown).message, String(thrown));
});

test('an error that is its own cause arrives, too', () => {
  const error = new Error('round and round');
  error.cause = error;
  assert.equal((across(error).cause as Error).message, 'round and round');
});

test('properties that cannot be sent are left out', () => {
  const back = across(Object.assign(new Error('busy'), { socket: () => {}, code: 'EBUSY' }));
  assert.equal(systemErrorCode(back), 'EBUSY');
});

function readingNowhere(): unknown {
  try {
    return readFileSync('/nowhere/at/all');
  } catch (error) {
    return error;
  }
}
