import assert from 'node:assert/strict';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createKeyPair } from '../../src/codec/keys.ts';
import { OperatorError } from '../../src/lib/errors.ts';
import { LocalStore } from '../../src/storage/local/driver.ts';
import type { StorageOptions } from '../../src/storage/options.ts';
import { FixedBudget } from '../../src/verify/budget.ts';
import type { Finding } from '../../src/verify/finding.ts';
import type { VerifyReport } from '../../src/verify/report.ts';
import { commitRecord, MadeUpWal } from '../support/made-up-wal.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { VerifyBench } from '../support/verify-bench.ts';
import { makeHistory } from '../support/wal-segment.ts';
import { TestWalSite } from '../support/wal-site.ts';

/** Damage to WAL, and WAL that is missing: it is found, and the file is named. */

const bench = new VerifyBench();
after(() => bench[Symbol.asyncDispose]());
let keys: { publicKey: string; privateKey: string };
before(async () => {
  keys = await createKeyPair(2048);
});

const time = 1_796_000_000_000_000;

/** Eight segments, some records in two of them each. */
function someWal(options: ConstructorParameters<typeof MadeUpWal>[0] = {}, seed = 0): MadeUpWal {
  const wal = new MadeUpWal(options);
  for (let each = 0; each < 7; each++) {
    wal.add(commitRecord({ time: time + each + seed, xid: 700 + each + seed }));
    wal.fillUntilLeft(each % 2 === 0 ? 24 : 56);
    wal.add(commitRecord({ time: time + each + seed, xid: 800 + each + seed }));
  }
  return wal;
}

const nameOf = (number: number, timeline = 1) => `0000000${timeline}00000000000000${number.toString(16).toUpperCase().padStart(2, '0')}`;

class StoredWal implements AsyncDisposable {
  readonly site: TestWalSite;
  readonly directory: string;
  readonly #stack: AsyncDisposableStack;

  static async make(isEncrypted = false): Promise<StoredWal> {
    const stack = new AsyncDisposableStack();
    const { path: directory } = stack.use(await makeTemporaryDirectory());
    const sealing = isEncrypted ? { encryption: { keyId: 'main', publicKey: keys.publicKey } } : {};
    const site = stack.use(await TestWalSite.start(bench.pool, { store: new LocalStore({ directory }), sealing }));
    const stored = new StoredWal(site, directory, stack);
    for (const [name, bytes] of someWal().segments()) await stored.archive(name, bytes);
    return stored;
  }

  private constructor(site: TestWalSite, directory: string, stack: AsyncDisposableStack) {
    this.site = site;
    this.directory = directory;
    this.#stack = stack;
  }

  async archive(name: string, bytes: Buffer): Promise<void> {
    await this.site.archiver.archive(name, await this.site.writeBytes(name, bytes));
  }

  path(name: string): string {
    return join(this.directory, 'main', name.endsWith('.history') ? 'timeline' : 'xlog', name);
  }

  async remove(name: string): Promise<void> {
    await rm(this.path(name));
    await rm(`${this.path(name)}.metadata`);
  }

  /** Everything anew, unless it says otherwise. */
  verify(changes: Parameters<VerifyBench['verify']>[2] = {}, again = true, privateKeys = { main: keys.privateKey }): Promise<VerifyReport> {
    const storage = { storage_type: 'local', directory: this.directory } as StorageOptions;
    return bench.verify({ storage, prefix: 'main', privateKeys }, { again: () => again }, changes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

type Change = (stored: StoredWal) => Promise<void>;
type Expected = readonly [severity: Finding['severity'], code: string, name: string];

async function edit(stored: StoredWal, name: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  await writeFile(stored.path(name), change(await readFile(stored.path(name))));
}

const cases: readonly [what: string, change: Change, expected: readonly Expected[]][] = [
  ['a bit', (stored) => edit(stored, nameOf(7), flip), [['damaged', 'object-corrupt', nameOf(7)]]],
  ['the end', (stored) => edit(stored, nameOf(8), (bytes) => bytes.subarray(0, -9)), [['damaged', 'object-corrupt', nameOf(8)]]],
  [
    'two that were exchanged',
    async (stored) => {
      for (const suffix of ['', '.metadata']) {
        await rename(stored.path(nameOf(6)) + suffix, stored.path('x') + suffix);
        await rename(stored.path(nameOf(7)) + suffix, stored.path(nameOf(6)) + suffix);
        await rename(stored.path('x') + suffix, stored.path(nameOf(7)) + suffix);
      }
    },
    [
      ['damaged', 'wal-invalid', nameOf(6)],
      ['damaged', 'wal-invalid', nameOf(7)],
    ],
  ],
  [
    'the hash in the metadata',
    async (stored) => {
      const path = `${stored.path(nameOf(6))}.metadata`;
      const metadata = JSON.parse(await readFile(path, 'utf8')) as Record<string, string>;
      await writeFile(path, JSON.stringify({ ...metadata, hash: '0'.repeat(40) }));
    },
    [['damaged', 'object-corrupt', nameOf(6)]],
  ],
  ['one that is missing', (stored) => stored.remove(nameOf(7)), [['warning', 'wal-missing', nameOf(7)]]],
  [
    'one of another cluster',
    async (stored) => {
      await stored.remove(nameOf(7));
      const bytes = someWal().segments().get(nameOf(7)) as Buffer;
      bytes.writeBigUInt64LE(1n, 24);
      await stored.archive(nameOf(7), bytes);
    },
    [['damaged', 'cluster-mismatch', nameOf(7)]],
  ],
  [
    'one that holds half of another history',
    async (stored) => {
      await stored.remove(nameOf(7));
      const bytes = someWal().segments().get(nameOf(7)) as Buffer;
      (someWal().segments().get(nameOf(8)) as Buffer).copy(bytes, 40 * 8192, 40 * 8192);
      await stored.archive(nameOf(7), bytes);
    },
    [['damaged', 'wal-invalid', nameOf(7)]],
  ],
  [
    'one that does not go on where the one before it ends',
    async (stored) => {
      await stored.remove(nameOf(7));
      const other = new MadeUpWal({ firstSegment: 7 });
      other.fillUntilLeft(24);
      other.add(commitRecord({ time, xid: 5 }));
      await stored.archive(nameOf(7), other.segments().get(nameOf(7)) as Buffer);
    },
    [['warning', 'wal-discontinuous', nameOf(7)]],
  ],
  [
    'a timeline without its history',
    async (stored) => {
      for (const [name, bytes] of someWal({ timeline: 2, firstSegment: 9 }).segments()) await stored.archive(name, bytes);
    },
    [['damaged', 'history-missing', '00000002.history']],
  ],
  [
    'histories that contradict each other',
    async (stored) => {
      await stored.archive('00000002.history', makeHistory('00000002.history', '0/900000'));
      await stored.archive('00000003.history', Buffer.from('1\t0/800000\tx\n2\t0/A00000\ty\n'));
    },
    [['damaged', 'history-differs', '00000003.history']],
  ],
  [
    'a history that cannot be read',
    async (stored) => {
      await stored.archive('00000002.history', makeHistory('00000002.history', '0/900000'));
      await edit(stored, '00000002.history', flip);
    },
    [['damaged', 'object-corrupt', '00000002.history']],
  ],
];

function flip(bytes: Buffer): Buffer {
  const at = bytes.length - 40;
  bytes[at] = (bytes[at] as number) ^ 4;
  return bytes;
}

for (const isEncrypted of [false, true]) {
  for (const [what, change, expected] of cases) {
    test(`${what}, ${isEncrypted ? 'encrypted' : 'plain'}`, async () => {
      await using stored = await StoredWal.make(isEncrypted);
      assert.deepEqual((await stored.verify()).findings, []);
      await change(stored);
      const { findings } = await stored.verify();
      assert.deepEqual(
        findings.map(({ severity, code, object }) => [severity, code, object.slice(object.lastIndexOf('/') + 1)]),
        expected,
        JSON.stringify(findings),
      );
    });
  }
}

test('a key that is not here, or another one, says that nobody knows', async () => {
  await using stored = await StoredWal.make(true);
  const without = await stored.verify({}, true, {} as { main: string });
  assert.deepEqual([without.result, new Set(without.findings.map(({ code }) => code))], ['unread', new Set(['key-missing'])]);
  const other = await createKeyPair(2048);
  const wrong = await stored.verify({}, true, { main: other.privateKey });
  assert.deepEqual([wrong.result, new Set(wrong.findings.map(({ code }) => code))], ['unread', new Set(['key-wrong'])]);
  assert.equal((await stored.verify({}, false)).result, 'sound');
});

test('it goes on where its budget ended, or where it was interrupted, and notices what has changed', async () => {
  await using stored = await StoredWal.make();
  const { stored: all } = await stored.verify({ budget: new FixedBudget(0.5) });
  const half = await stored.verify({ budget: new FixedBudget(Math.floor(all.bytes / 2)) }, false);
  assert.deepEqual([half.stoppedBy, half.result], ['budget', 'sound']);
  assert.ok(half.read.bytes <= all.bytes / 2 && half.read.objects > 0);
  const abort = new AbortController();
  let isFirst = true;
  const onBytes = () => {
    if (!isFirst) abort.abort(new Error('enough'));
    isFirst = false;
  };
  await assert.rejects(stored.verify({ signal: abort.signal, onBytes }, true), /enough/);
  const rest = await stored.verify({}, false);
  assert.equal(rest.unproven.objects, 0);
  assert.equal((await stored.verify({}, false)).read.objects, 0);
  const bytes = await readFile(stored.path(nameOf(9)));
  await writeFile(stored.path(nameOf(9)), flip(Buffer.from(bytes)));
  const found = await stored.verify({}, false);
  assert.deepEqual([found.result, found.damaged.map(({ object }) => object)], ['damaged', [`main/xlog/${nameOf(9)}`]]);
  const known = await stored.verify({ budget: new FixedBudget(1) }, false);
  assert.deepEqual([known.result, known.findings.length], ['damaged', 0], 'it is known to be');
  await writeFile(stored.path(nameOf(9)), bytes);
  assert.equal((await stored.verify({}, false)).result, 'sound');
});

test('a store that ends in the midst of it is told, and what was read until then counts', async () => {
  await using stored = await StoredWal.make();
  let read = 0;
  const run: (typeof bench.pool)['run'] = (job, input, options) => {
    if (read++ > 1) return Promise.reject(new OperatorError('store-denied', 'the key has expired'));
    return bench.pool.run(job, input, options);
  };
  const report = await stored.verify({ pool: { threads: 1, run } });
  assert.deepEqual([report.stoppedBy, report.because], [undefined, undefined], 'eight segments are one piece of work');
  read = 2;
  const denied = await stored.verify({ pool: { threads: 1, run } });
  assert.deepEqual([denied.stoppedBy, denied.because, denied.result], ['store', 'the key has expired', 'unread']);
});
