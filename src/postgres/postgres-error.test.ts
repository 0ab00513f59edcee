import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DatabaseError } from 'pg';
import { connectError } from './postgres-error.ts';

function refusal(code: string, message: string): DatabaseError {
  return Object.assign(new DatabaseError(message, 0, 'error'), { code });
}

test('a server that starts or stops is away like one that does not run: who tells each kind of failure once has told of both', () => {
  const stopping = connectError('db:5432', refusal('57P03', 'the database system is shutting down'));
  const stopped = connectError('db:5432', Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' }));
  assert.equal(stopping.code, stopped.code);
  assert.ok(stopping.retryable);
  assert.match(stopping.message, /db:5432 refuses the connection: the database system is shutting down/);
});
