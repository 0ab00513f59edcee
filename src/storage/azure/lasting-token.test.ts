import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessToken, GetTokenOptions } from '@azure/identity';
import type { Clock } from '../../lib/clock.ts';
import { LastingToken } from './lasting-token.ts';

const minuteMs = 60_000;

/** Somebody who hands out tokens for ten minutes, unless out of order, at a time that stands until it is moved. */
class World implements Clock {
  ms = 0;
  asked: GetTokenOptions[] = [];
  failure: Error | undefined;
  readonly token: LastingToken;

  constructor() {
    const getToken = async (_: unknown, options: GetTokenOptions): Promise<AccessToken> => {
      this.asked.push(options);
      if (this.failure) throw this.failure;
      return { token: `token ${this.asked.length}`, expiresOnTimestamp: this.ms + 10 * minuteMs };
    };
    this.token = new LastingToken({ getToken }, 1_000, this);
  }

  now = () => new Date(this.ms);
  monotonicMs = () => this.ms;
  sleep = async () => {};

  async get(options?: GetTokenOptions): Promise<string> {
    const { token, expiresOnTimestamp } = await this.token.getToken('scope', options);
    assert.equal(expiresOnTimestamp, 0, 'the SDK would renew it on its own');
    return token;
  }
}

test('a token serves all requests until it is renewed, which none of them waits for', async () => {
  const world = new World();
  const both = await Promise.all([world.get(), world.get()]);
  assert.deepEqual(both, ['token 1', 'token 1']);
  world.ms = 4 * minuteMs;
  assert.equal(await world.get(), 'token 1');
  world.ms = 6 * minuteMs;
  assert.equal(await world.get(), 'token 1');
  assert.equal(await world.get(), 'token 2');
  assert.equal(world.asked.length, 2);
});

test('where a renewal fails the old token serves to its end; then the failure is told', async () => {
  const world = new World();
  await world.get();
  world.failure = new Error('out of order');
  world.ms = 6 * minuteMs;
  for (let i = 0; i < 3; i++) assert.equal(await world.get(), 'token 1');
  assert.equal(world.asked.length, 2, 'asked at each request');
  world.ms = 10 * minuteMs;
  await assert.rejects(world.get(), /out of order/);
  world.failure = undefined;
  assert.equal(await world.get(), 'token 4');
});

test('the abort of one request is not that of the others, and other wishes ask anew', async () => {
  const world = new World();
  await world.get({ abortSignal: AbortSignal.abort() });
  assert.equal(world.asked[0]?.abortSignal, undefined);
  assert.equal(await world.get({ claims: 'c' }), 'token 2');
  assert.equal(world.asked[1]?.claims, 'c');
});

test('a token that does not come is not waited for without end', async () => {
  const token = new LastingToken({ getToken: () => new Promise(() => {}) }, 10);
  await assert.rejects(token.getToken('scope'), { code: 'ETIMEDOUT' });
});
