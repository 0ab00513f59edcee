import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { collect } from '../../src/storage/contract-tools.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import type { StorageOptions } from '../../src/storage/options.ts';
import { childOf } from './store-child.ts';

const child = childOf('store-crash-child');

/** Puts in a process of its own, until that is killed in the middle of them. */
export async function putUntilKilled(storage: StorageOptions, spool: string, aliveMs: number): Promise<void> {
  const process_ = spawn(process.execPath, [child, JSON.stringify(storage), spool], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(process_, 'exit');
  await once(process_.stdout, 'data');
  await delay(aliveMs);
  process_.kill('SIGKILL');
  const [, signal] = await ended;
  assert.equal(signal, 'SIGKILL');
}

/** Every object has the bytes whose digest its metadata tell. Says how many there are. */
export async function assertNothingTorn(store: ObjectStore): Promise<number> {
  let objects = 0;
  for await (const { key, size } of store.list('')) {
    const { entry, bytes } = await store.get(key);
    const data = Buffer.concat(await collect(bytes));
    assert.equal(data.length, size, key);
    assert.equal(createHash('sha256').update(data).digest('hex'), entry.metadata['digest'], `${key} is torn`);
    objects++;
  }
  return objects;
}
