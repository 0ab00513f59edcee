import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { RecordedMetrics } from '../../../test/support/recorded-metrics.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { systemClock } from '../../lib/clock.ts';
import { OperatorError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { systemRandom } from '../../lib/random.ts';
import { IncomingWal } from './incoming-wal.ts';

const name = (number: number, timeline = 1) => `0000000${timeline}00000000000000${number.toString(16).toUpperCase().padStart(2, '0')}`;

class Bench implements AsyncDisposable {
  readonly archived: string[] = [];
  readonly incoming: IncomingWal;
  readonly directory: string;
  /** What archiving a file does. */
  behaviour: (name: string) => Promise<unknown> = async () => {};
  readonly metrics = new RecordedMetrics();
  readonly #stop = new AbortController();
  readonly #scratch: TemporaryDirectory;

  static async open(): Promise<Bench> {
    return new Bench(await makeTemporaryDirectory());
  }

  private constructor(scratch: TemporaryDirectory) {
    this.#scratch = scratch;
    this.directory = scratch.path;
    this.incoming = new IncomingWal({
      site: 'main',
      directory: scratch.path,
      archive: async (file) => {
        await this.behaviour(file);
        this.archived.push(file);
      },
      clock: systemClock,
      random: systemRandom,
      metrics: this.metrics,
      log: silentLog,
      signal: this.#stop.signal,
    });
  }

  async put(...names: string[]): Promise<void> {
    for (const file of names) await writeFile(join(this.directory, file), 'content of at least a page header');
  }

  async look(): Promise<void> {
    await this.incoming.look();
    await this.incoming.settled();
  }

  async files(): Promise<string[]> {
    return (await readdir(this.directory)).toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#scratch[Symbol.asyncDispose]();
  }
}

test('what is finished is archived, oldest first, and removed but for the last segment', async () => {
  await using bench = await Bench.open();
  await bench.put(name(2), name(1), name(3), '00000001.history', `${name(4)}.partial`, 'other.json', `${name(5)}.tmp`);
  await bench.look();
  assert.deepEqual(bench.archived, ['00000001.history', name(1), name(2), name(3)]);
  assert.deepEqual(await bench.files(), [name(3), `${name(4)}.partial`, `${name(5)}.tmp`, 'other.json']);
  await bench.look();
  assert.equal(bench.archived.length, 4);
});

test('the last segment is the furthest one that is stored, in whatever order uploads end', async () => {
  await using bench = await Bench.open();
  const second = Promise.withResolvers<void>();
  bench.behaviour = (file) => (file === name(2) ? second.promise : Promise.resolve());
  await bench.put(name(1), name(2), name(3));
  await bench.incoming.look();
  await waitFor(async () => (await bench.files()).length === 2, { withinMs: 30_000, what: 'the first is removed' });
  assert.deepEqual(await bench.files(), [name(2), name(3)]);
  second.resolve();
  await bench.incoming.settled();
  assert.deepEqual(await bench.files(), [name(3)]);
});

test('a partial segment that nobody continues is archived as such; one without WAL is just removed', async () => {
  await using bench = await Bench.open();
  await bench.put(`${name(5)}.partial`, name(5, 2), `${name(6, 2)}.partial`);
  await writeFile(join(bench.directory, `${name(4)}.partial`), Buffer.alloc(100));
  await bench.look();
  assert.deepEqual(bench.archived.toSorted(), [`${name(5)}.partial`, name(5, 2)]);
  assert.deepEqual(await bench.files(), [name(5, 2), `${name(6, 2)}.partial`]);
});

for (const code of ['wal-invalid', 'wal-conflict'] as const) {
  test(`a file that is refused (${code}) is set aside, and the others go on`, async () => {
    await using bench = await Bench.open();
    bench.behaviour = async (file) => {
      if (file === name(2)) throw new OperatorError(code, 'refused');
    };
    await bench.put(name(1), name(2), name(3));
    await bench.look();
    assert.deepEqual(await bench.files(), [name(3), 'rejected']);
    assert.deepEqual(await readdir(join(bench.directory, 'rejected')), [name(2)]);
    assert.deepEqual(bench.incoming.rejected, [name(2)]);
  });
}

test('what is set aside keeps what was set aside under the same name before', async () => {
  await using bench = await Bench.open();
  bench.behaviour = async () => {
    throw new OperatorError('wal-conflict', 'stored with other content');
  };
  for (const content of ['first', 'second', 'third']) {
    await writeFile(join(bench.directory, name(1)), content);
    await bench.look();
  }
  const rejected = [name(1), `${name(1)}~2`, `${name(1)}~3`];
  assert.deepEqual(bench.incoming.rejected, rejected);
  const contents = await Promise.all(rejected.map((file) => readFile(join(bench.directory, 'rejected', file), 'utf8')));
  assert.deepEqual(contents, ['first', 'second', 'third']);
});

test('what was set aside is known again after a restart, until somebody removes it', async () => {
  await using bench = await Bench.open();
  await mkdir(join(bench.directory, 'rejected'));
  await bench.put(`rejected/${name(7)}`);
  await bench.incoming.open();
  assert.deepEqual(bench.incoming.rejected, [name(7)]);
});

test('a link is not followed but set aside', async () => {
  await using bench = await Bench.open();
  bench.behaviour = async () => {
    throw new OperatorError('wal-file-missing', 'not a regular file');
  };
  await writeFile(join(bench.directory, 'elsewhere'), '');
  await symlink('elsewhere', join(bench.directory, name(1)));
  await bench.look();
  assert.deepEqual(bench.incoming.rejected, [name(1)]);
});

test('what cannot be stored now stays and is tried again', async () => {
  await using bench = await Bench.open();
  let attempts = 0;
  bench.behaviour = async () => {
    if (++attempts < 2) throw new OperatorError('disk-full', 'no room', { retryable: true });
  };
  await bench.put(name(1));
  await bench.look();
  assert.deepEqual(bench.incoming.waiting, [{ name: name(1), because: 'no room' }]);
  await bench.look();
  assert.equal(attempts, 1, 'not at once');
  const stop = new AbortController();
  const running = bench.incoming.run(stop.signal);
  await waitFor(() => bench.incoming.waiting.length === 0, { withinMs: 30_000, what: 'it is tried again' });
  stop.abort();
  await running;
  assert.deepEqual(bench.archived, [name(1)]);
});

test('on a full disk the last segment that is stored makes room for one that waits behind it', async () => {
  await using bench = await Bench.open();
  await bench.put(name(2));
  await bench.look();
  bench.behaviour = async () => {
    throw new OperatorError('disk-full', 'no room', { retryable: true });
  };
  await bench.put(name(1), '00000002.history');
  await bench.look();
  assert.deepEqual(await bench.files(), [name(1), name(2), '00000002.history'], 'it still tells where to go on');
  await bench.put(name(3));
  await bench.look();
  assert.deepEqual(await bench.files(), [name(1), name(3), '00000002.history']);
});

test('files that appear are taken at once, however long one before them takes; at most eight at a time', async () => {
  await using bench = await Bench.open();
  const stuck = Promise.withResolvers<void>();
  let [running, most] = [0, 0];
  bench.behaviour = async (file) => {
    most = Math.max(most, ++running);
    if (file === name(0)) await stuck.promise;
    await new Promise((resolve) => setImmediate(resolve));
    running--;
  };
  const stop = new AbortController();
  const work = bench.incoming.run(stop.signal);
  await bench.put(...Array.from({ length: 40 }, (_, number) => name(number)));
  await waitFor(() => bench.archived.length === 39, { withinMs: 30_000, what: 'all others are archived' });
  await bench.put('00000002.history');
  await waitFor(() => bench.archived.includes('00000002.history'), { withinMs: 30_000, what: 'a new file is seen' });
  assert.ok(most <= 8, `${most} at once`);
  stuck.resolve();
  stop.abort();
  await work;
  await bench.incoming.settled();
  assert.deepEqual(await bench.files(), [name(39)]);
});

test('clearing archives everything and leaves nothing, or says what it waits for', async () => {
  await using bench = await Bench.open();
  await bench.put(name(1), name(2), `${name(3)}.partial`);
  await bench.look();
  await bench.incoming.clear();
  assert.deepEqual(await bench.files(), []);
  assert.ok(bench.archived.includes(`${name(3)}.partial`));
  bench.behaviour = async () => {
    throw new OperatorError('disk-full', 'no room', { retryable: true });
  };
  await bench.put(name(4));
  await assert.rejects(bench.incoming.clear(), { code: 'wal-waiting' });
  assert.deepEqual(await bench.files(), [name(4)]);
});

test('WAL that cannot be removed after it was stored, or looked for, is counted', async () => {
  await using bench = await Bench.open();
  bench.behaviour = async (file) => {
    if (file !== name(1)) return;
    await rm(join(bench.directory, file));
    await mkdir(join(bench.directory, file));
  };
  await bench.put(name(1), name(2));
  await bench.look();
  const failed = (exception: string, where: string) => `pghoard.exception{exception=${exception},where=${where}} +1`;
  assert.deepEqual(bench.metrics.taken(), [failed('ERR_FS_EISDIR', 'wal_file_deleter_delete_unneeded_files')]);
  const tools = { clock: systemClock, random: systemRandom, metrics: bench.metrics, log: silentLog, signal: AbortSignal.abort() };
  const lost = new IncomingWal({ site: 'main', directory: join(bench.directory, 'x'.repeat(300)), archive: async () => {}, ...tools });
  await lost.run(AbortSignal.abort());
  assert.deepEqual(bench.metrics.taken(), [failed('ENAMETOOLONG', 'wal_file_deleter_run')]);
});
