import assert from 'node:assert/strict';
import type { FaultWorld, StoreFault } from './fault-world.ts';
import { assertHasPattern, bytesOf, collect, failureOf, metadata, read, repeating, threeParts } from './tools.ts';

async function resetBody(world: FaultWorld): Promise<void> {
  const { store, direct, proxy, dialect } = world;
  const { source, size } = threeParts(world);
  await direct.put('large', source, { metadata });
  for (const afterBytes of [0, 1, 70_000, size - 1]) {
    proxy.inject(dialect.isDownload, { kind: 'reset-download', afterBytes }, 2);
    await assertHasPattern(repeating(store), 'large', size);
    assert.ok(proxy.seen.filter(dialect.isDownload).length > 1, 'it was not asked for again');
    proxy.heal();
  }
}

async function resetIsNoEnd(world: FaultWorld): Promise<void> {
  const { store, direct, proxy, dialect } = world;
  await direct.put('small', bytesOf('0123456789'), { metadata });
  proxy.inject(dialect.isDownload, { kind: 'reset-download', afterBytes: 4 });
  const failure = await failureOf(read(store, 'small'));
  assert.deepEqual([failure.code, failure.retryable], ['store-unreachable', true]);
}

async function stalledBody(world: FaultWorld): Promise<void> {
  const { store, direct, proxy, dialect } = world;
  const { source, size } = threeParts(world);
  await direct.put('large', source, { metadata });
  proxy.inject(dialect.isDownload, { kind: 'stall-download', afterBytes: 100_000 }, 1);
  await assertHasPattern(repeating(store), 'large', size);
}

async function stalledAnswer(world: FaultWorld): Promise<void> {
  const { store, direct, proxy } = world;
  await direct.put('small', bytesOf('content'), { metadata });
  proxy.inject(() => true, { kind: 'stall' });
  for (const failure of await Promise.all(
    [store.head('small'), read(store, 'small'), collect(store.list('')), store.delete('small')].map(failureOf),
  )) {
    assert.deepEqual([failure.code, failure.retryable], ['store-unreachable', true]);
  }
}

async function slowBody(world: FaultWorld): Promise<void> {
  const { store, direct, proxy, dialect, idleMs } = world;
  const text = 'x'.repeat(20);
  await direct.put('small', bytesOf(text), { metadata });
  proxy.inject(dialect.isDownload, { kind: 'drip', bytes: 1, everyMs: (idleMs * 1.5) / text.length }, 1);
  assert.equal(await read(store, 'small'), text);
}

async function resetListing({ store, direct, proxy, dialect }: FaultWorld): Promise<void> {
  const names = Array.from({ length: 12 }, (_, i) => `n/${String(i).padStart(2, '0')}`);
  for (const name of names) await direct.put(name, bytesOf(name), { metadata });
  const failed = dialect.busy(0);
  for (const call of [1, 2, 3]) {
    let pages = 0;
    proxy.inject((request) => dialect.isListing(request) && ++pages === call, { kind: 'reset-download', afterBytes: 40 }, 1);
    proxy.inject((request) => dialect.isListing(request) && pages === call + 1, { kind: 'answer', answer: failed }, 1);
    const listed = (await collect(repeating(store).list('n/'))).map(({ key }) => key);
    assert.deepEqual(listed, names);
    proxy.heal();
  }
}

export const downloadFaults: readonly StoreFault[] = [
  { row: 16, fact: 'a body that is cut goes on where it stopped', holds: resetBody },
  { row: 16, fact: 'a body that is cut is not taken for a short one', holds: resetIsNoEnd },
  { row: 16, fact: 'a body that stands still is given up and goes on', holds: stalledBody },
  { row: 16, fact: 'a slow body is waited for as long as it moves', holds: slowBody },
  { row: 29, fact: 'requests that nobody answers end', holds: stalledAnswer },
  { row: 22, fact: 'a listing that is cut goes on after its last key, with nothing twice and nothing missing', holds: resetListing },
];
