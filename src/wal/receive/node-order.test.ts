import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { type PostgresNode, parseNode } from '../../postgres/node.ts';
import { NodeRotation } from './node-order.ts';

const [a, b, c] = ['a', 'b', 'c'].map((host) => parseNode(`host=${host}`)) as [PostgresNode, PostgresNode, PostgresNode];
let leader: PostgresNode | undefined;
let rotation: NodeRotation;

beforeEach(() => {
  leader = undefined;
  rotation = new NodeRotation(() => ({ nodes: [a, b, c], leader }));
});

const namesAfterFailures = (count: number) =>
  Array.from({ length: count }, () => {
    const node = rotation.next();
    rotation.failed(node, 0);
    return node.conninfo.host;
  });

test('while nobody is known to be the primary all take turns', () => {
  assert.deepEqual(namesAfterFailures(4), ['a', 'b', 'c', 'a']);
});

test('the primary comes first, and again after all others', () => {
  leader = b;
  assert.deepEqual(namesAfterFailures(4), ['b', 'a', 'c', 'b']);
});

test('a new primary is next, whoever was tried before', () => {
  leader = a;
  namesAfterFailures(2);
  leader = c;
  assert.equal(rotation.next(), c);
});

test('a server that delivers is left for the primary, unless that has just failed', () => {
  assert.equal(rotation.leaderInsteadOf(a, 0), undefined);
  leader = b;
  assert.equal(rotation.leaderInsteadOf(b, 0), undefined);
  assert.equal(rotation.leaderInsteadOf(a, 0), leader);
  rotation.failed(b, 0);
  rotation.succeeded(a);
  assert.equal(rotation.leaderInsteadOf(a, 29_999), undefined);
  assert.equal(rotation.leaderInsteadOf(a, 30_000), leader);
  rotation.failed(b, 30_000);
  assert.equal(rotation.leaderInsteadOf(a, 89_999), undefined);
  leader = c;
  assert.equal(rotation.leaderInsteadOf(a, 30_000), leader);
});

test('a primary that cannot be asked for a while stays the one to come back to', () => {
  leader = b;
  rotation.failed(b, 0);
  leader = undefined;
  rotation.next();
  leader = b;
  assert.equal(rotation.leaderInsteadOf(a, 1_000), undefined);
});
