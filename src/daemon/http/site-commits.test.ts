import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../../lib/errors.ts';
import { parseSpan } from './site-commits.ts';

const now = new Date('2026-11-22T14:03:20Z');
const at = (text: string) => Date.parse(text) / 60_000;

test('a span is of whole minutes and whole buckets', () => {
  assert.deepEqual(parseSpan(new URLSearchParams(), now), { from: at('2026-11-21T14:04Z'), to: at('2026-11-22T14:04Z'), bucketMinutes: 6 });
  const query = new URLSearchParams({ from: '2026-11-22T00:00:59+02:00', to: '2026-11-22T00:10:00.5Z', buckets: '100' });
  assert.deepEqual(parseSpan(query, now), { from: at('2026-11-21T22:00Z'), to: at('2026-11-22T00:12Z'), bucketMinutes: 2 });
  assert.equal(parseSpan(new URLSearchParams({ from: '2026-11-22T14:00:00Z', buckets: '2000' }), now).bucketMinutes, 1);
});

test('what is no span is refused', () => {
  for (const query of [
    'from=yesterday',
    'from=2026-11-22T00:00:00',
    'to=2026-11-20T00:00:00Z&from=2026-11-21T00:00:00Z',
    'buckets=0',
    'buckets=2001',
    'bucket=7',
  ]) {
    assert.throws(
      () => parseSpan(new URLSearchParams(query), now),
      (error: unknown) => isOperatorError(error, 'request-invalid'),
      query,
    );
  }
});
