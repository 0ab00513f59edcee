import { test } from 'node:test';
import { objectStoreContract } from '../contract.ts';
import { withKeyChecks } from '../with-key-checks.ts';
import { withLimit } from '../with-limit.ts';
import { withPrefix } from '../with-prefix.ts';
import { withRetry } from '../with-retry.ts';
import { MemoryStore } from './driver.ts';

for (const { fact, holds } of objectStoreContract) {
  test(`memory: ${fact}`, () => holds(new MemoryStore()));
  test(`memory behind all layers: ${fact}`, () =>
    holds(withRetry(withLimit(withKeyChecks(withPrefix(new MemoryStore(), 'some/prefix')), 3))));
}
