import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { objectStoreContract } from '../contract.ts';
import { openStore } from '../drivers.ts';
import type { ObjectStore } from '../object-store.ts';
import { LocalStore } from './driver.ts';

async function inFreshDirectory(
  open: (directory: string) => Promise<ObjectStore>,
  holds: (store: ObjectStore) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'pghoard-store-'));
  try {
    await holds(await open(join(directory, 'not', 'made', 'yet')));
  } finally {
    await rm(directory, { recursive: true });
  }
}

for (const { fact, holds } of objectStoreContract) {
  test(`local: ${fact}`, () => inFreshDirectory(async (directory) => new LocalStore({ directory }), holds));
  test(`local, few names in memory: ${fact}`, () =>
    inFreshDirectory(async (directory) => new LocalStore({ directory, namesHeldMax: 3 }), holds));
  test(`local behind all layers: ${fact}`, () =>
    inFreshDirectory(
      (directory) => openStore({ storage_type: 'local', directory, prefix: '/pre/fix', statsd_info: null, notifier: null }),
      holds,
    ));
}
