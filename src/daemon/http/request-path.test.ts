import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../../lib/errors.ts';
import { parseRequestTarget } from './request-path.ts';

const takesQuery = ([, what]: readonly string[]) => what === 'commits';

test('a query is taken apart where one is taken', () => {
  const { components, query } = parseRequestTarget('/my%20site/commits?from=2026-11-22T14%3A03Z&buckets=7&empty', takesQuery);
  assert.deepEqual(components, ['my site', 'commits']);
  assert.deepEqual(
    [...query],
    [
      ['from', '2026-11-22T14:03Z'],
      ['buckets', '7'],
      ['empty', ''],
    ],
  );
  assert.deepEqual([...parseRequestTarget('/a/commits', takesQuery).query], []);
  assert.deepEqual([...parseRequestTarget('/a/commits?', takesQuery).query], []);
});

test('elsewhere a query is refused, and so is what is odd', () => {
  for (const url of ['/a/status?', '/a/status?from=1', '/?a', '/a/xlog/000000010000000000000001?x', '/a/../commits?x', '/a/commits?\x7f']) {
    assert.throws(
      () => parseRequestTarget(url, takesQuery),
      (error: unknown) => isOperatorError(error, 'request-invalid'),
      url,
    );
  }
});
