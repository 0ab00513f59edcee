import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain, isOperatorError, messageOf, OperatorError, systemErrorCode } from './errors.ts';

test('an explanation has the message, every cause and the first hint, and no stack', () => {
  const root = new Error('connection refused');
  const store = new OperatorError('store-unreachable', 'cannot reach the store', { cause: root, hint: 'Check the network.' });
  const text = explain(new OperatorError('wal-failed', 'cannot store WAL 01', { cause: store }));
  assert.equal(text, 'cannot store WAL 01\n  because: cannot reach the store\n  because: connection refused\n  hint: Check the network.');
});

test('what a message tells of its cause is not told again', () => {
  const root = new Error('connect ECONNREFUSED');
  const error = new OperatorError('postgres-unreachable', 'cannot reach PostgreSQL: connect ECONNREFUSED', {
    cause: root,
    hint: 'Is it running?',
  });
  assert.equal(explain(error), 'cannot reach PostgreSQL: connect ECONNREFUSED\n  hint: Is it running?');
});

test('codes tell errors apart', () => {
  const error = new OperatorError('object-missing', 'gone');
  assert.equal(isOperatorError(error), true);
  assert.equal(isOperatorError(error, 'a', 'object-missing'), true);
  assert.equal(isOperatorError(error, 'a'), false);
  assert.equal(isOperatorError(new Error('x')), false);
  assert.equal(systemErrorCode(Object.assign(new Error('no'), { code: 'ENOSPC' })), 'ENOSPC');
  assert.equal(systemErrorCode(error), undefined);
});

test('anything thrown has a message', () => {
  assert.equal(messageOf('text'), 'text');
  assert.equal(messageOf(new AggregateError([new Error('a'), new Error('b')])), 'a; b');
});
