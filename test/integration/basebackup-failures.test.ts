import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { takeBasebackup } from '../../src/basebackup/basebackup.ts';
import { cleanUpAfterCrash } from '../../src/basebackup/clean-up.ts';
import type { BasebackupJob } from '../../src/basebackup/job.ts';
import type { Applicant } from '../../src/catalog/identity-keeper.ts';
import { isOperatorError, OperatorError } from '../../src/lib/errors.ts';
import { MemoryStore } from '../../src/storage/memory/driver.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import { BackupBench } from '../support/backup-bench.ts';
import { TestPostgres } from '../support/postgres.ts';
import { FaultyStore } from '../support/store.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';

const never = new AbortController().signal;
const endBackups = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                    WHERE application_name = 'pghoard' AND backend_type IN ('client backend', 'walsender')`;
let postgres: TestPostgres;

before(async () => {
  postgres = await TestPostgres.start();
  await postgres.query(`CREATE TABLE filler AS SELECT i, repeat(md5(i::text), 20) AS t FROM generate_series(1, 30000) AS i`);
});
after(async () => postgres[Symbol.asyncDispose]());

async function nothingIsLeft(bench: BackupBench): Promise<void> {
  assert.deepEqual(await bench.storedKeys(), []);
  assert.deepEqual(await bench.spooled(), []);
}

/** A store whose second chunk cannot be stored before `go`. */
function heldStore(): { store: FaultyStore; go: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const store = new FaultyStore(new MemoryStore(), [{ operation: 'put', key: /basebackup_chunk/, call: 2, how: 'wait', until: promise }]);
  return { store, go: resolve };
}

const kinds: readonly Pick<BasebackupJob, 'mode' | 'format'>[] = [
  { mode: 'local-tar', format: 'pghoard-bb-v2' },
  { mode: 'local-tar', format: 'pghoard-bb-v1' },
  { mode: 'basic', format: 'pghoard-bb-v2' },
  { mode: 'pipe', format: 'pghoard-bb-v2' },
  { mode: 'stream', format: 'pghoard-bb-v2' },
];

for (const kind of kinds) {
  const title = kind.mode === 'local-tar' ? kind.format : kind.mode;

  test(`a store that refuses the main object leaves nothing behind (${title})`, async () => {
    const error = new OperatorError('store-full', 'the store is full');
    const store = new FaultyStore(new MemoryStore(), [{ operation: 'put', key: /\/basebackup\//, how: 'refuse', error }]);
    await using bench = await BackupBench.open(store);
    await assert.rejects(takeBasebackup(bench.job(postgres, kind), bench.deps, never), (caught) => isOperatorError(caught, 'store-full'));
    await nothingIsLeft(bench);
  });

  test(`a store that is for another cluster, at the start or in the end, leaves nothing behind (${title})`, async () => {
    const [identity] = await postgres.query('SELECT system_identifier::text AS id FROM pg_control_system()');
    for (const refusedAt of [1, 2]) {
      await using bench = await BackupBench.open();
      const asked: Applicant[] = [];
      const admit = async (applicant: Applicant) => {
        if (asked.push(applicant) === refusedAt) throw new OperatorError('cluster-mismatch', 'not here');
      };
      const taking = takeBasebackup(bench.job(postgres, kind), { ...bench.deps, admit }, never);
      await assert.rejects(taking, { code: 'cluster-mismatch' });
      assert.deepEqual(
        asked.map(({ systemIdentifier, segmentBytes }) => [String(systemIdentifier), segmentBytes]),
        Array.from({ length: refusedAt }, () => [identity?.['id'], 16 * 1024 * 1024]),
      );
      const isCopied = bench.progress.some(({ phase }) => phase !== 'starting');
      assert.equal(isCopied, refusedAt === 2, 'at the start nothing is copied');
      await nothingIsLeft(bench);
    }
  });

  test(`a backup that is called off leaves nothing behind (${title})`, async () => {
    await using bench = await BackupBench.open();
    const stop = new AbortController();
    const onProgress = bench.deps.onProgress;
    const deps = {
      ...bench.deps,
      onProgress: (progress: Parameters<NonNullable<typeof onProgress>>[0]) => {
        onProgress?.(progress);
        if (progress.bytesDone > 0) stop.abort(new Error('called off'));
      },
    };
    await assert.rejects(takeBasebackup(bench.job(postgres, kind), deps, stop.signal), { message: 'called off' });
    await nothingIsLeft(bench);
    await waitFor(
      async () =>
        (await postgres.query(`SELECT 1 FROM pg_stat_activity WHERE application_name IN ('pghoard', 'pg_basebackup')`)).length === 0,
      {
        withinMs: 30_000,
        what: 'the server has got rid of the backup',
      },
    );
  });
}

test('a chunk that cannot be stored ends the backup with that reason and takes the stored ones away', async () => {
  const error = new OperatorError('store-denied', 'the store says no');
  const store = new FaultyStore(new MemoryStore(), [{ operation: 'put', call: 3, how: 'refuse', error }]);
  await using bench = await BackupBench.open(store);
  await assert.rejects(takeBasebackup(bench.job(postgres), bench.deps, never), (caught) => isOperatorError(caught, 'store-denied'));
  assert.ok(store.count('put') >= 3);
  await nothingIsLeft(bench);
});

test('a store that fails for a while only makes the backup take longer', async () => {
  const lost = { operation: 'put', how: 'lose-response' } as const;
  const store = new FaultyStore(new MemoryStore(), [
    { ...lost, call: 1 },
    { ...lost, call: 3 },
    { operation: 'put', call: 5, how: 'refuse' },
  ]);
  await using bench = await BackupBench.open(store);
  const entry = await takeBasebackup(bench.job(postgres), bench.deps, never);
  assert.equal((await bench.deps.catalog.basebackup(entry.name)).key, entry.key);
});

/** Begins a backup whose second chunk does not get into the store, breaks it, and waits for it to fail because its connection is lost. */
async function breakInTheMidst(job: Partial<BasebackupJob>, breakIt: () => unknown): Promise<void> {
  const { store, go } = heldStore();
  await using bench = await BackupBench.open(store);
  const backup = takeBasebackup(bench.job(postgres, { chunkBytesMax: 1024 * 1024, ...job }), bench.deps, never);
  backup.catch(() => {});
  await waitFor(() => store.count('put') >= 2, { withinMs: 30_000, what: 'the second chunk is on its way' });
  await breakIt();
  const settled = assert.rejects(backup, (caught) => isOperatorError(caught, 'postgres-connection-lost') && caught.retryable);
  setImmediate(go);
  await settled;
  await nothingIsLeft(bench);
}

for (const mode of ['local-tar', 'stream'] as const) {
  test(`a session that is terminated ends the backup at once, although the store is stuck (${mode})`, async () => {
    await breakInTheMidst({ mode }, () => postgres.query(endBackups));
  });

  test(`a connection that is cut in the midst ends the backup (${mode})`, async () => {
    await using proxy = await TcpProxy.to(postgres.port);
    const nodes = [{ host: '127.0.0.1', port: String(proxy.port), user: 'postgres', dbname: 'postgres' }];
    await breakInTheMidst({ mode, nodes }, () => proxy.cut());
  });

  test(`a server that crashes ends the backup; the next one succeeds (${mode})`, async () => {
    await breakInTheMidst({ mode }, () => postgres.kill9());
    await postgres.launch();
    await using bench = await BackupBench.open();
    await takeBasebackup(bench.job(postgres, { mode }), bench.deps, never);
  });

  test(`no more chunks lie in the spool than are allowed (${mode})`, async () => {
    const { store, go } = heldStore();
    await using bench = await BackupBench.open(store);
    let most = 0;
    const state = { running: true };
    const backup = takeBasebackup(
      bench.job(postgres, { mode, chunksInProgress: 2, chunkBytesMax: 1024 * 1024 }),
      bench.deps,
      never,
    ).finally(() => {
      state.running = false;
    });
    const chunksNow = async () => (await bench.spooled()).filter((name) => /\.(0{7}[1-9]|0{6}[1-9][0-9])\.pghoard$/.test(name)).length;
    await waitFor(() => store.count('put') >= 3, { withinMs: 30_000, what: 'other chunks overtake the stuck one' });
    go();
    while (state.running) most = Math.max(most, await chunksNow());
    await backup;
    assert.ok(most > 0 && most <= 2, `${most} chunks`);
  });
}

test('a program that fails is quoted, with a hint, and its password is nowhere to be seen', async () => {
  await using bench = await BackupBench.open();
  await postgres.query(`CREATE ROLE no_replication LOGIN PASSWORD 'very secret'`);
  const nodes = [{ host: '127.0.0.1', port: String(postgres.port), user: 'no_replication', password: 'very secret' }];
  for (const mode of ['basic', 'pipe', 'stream'] as const) {
    const failure = await takeBasebackup(bench.job(postgres, { mode, nodes }), bench.deps, never).catch((error: unknown) => error);
    assert.ok(isOperatorError(failure), String(failure));
    assert.doesNotMatch(`${failure.message} ${String(failure.cause)}`, /very secret/);
  }
  await nothingIsLeft(bench);
});

test('what a killed daemon left is removed from spool and store, a finished backup is not', async () => {
  await using bench = await BackupBench.open();
  const { catalog, spool } = bench.deps;
  const done = await takeBasebackup(bench.job(postgres), bench.deps, never);
  await mkdir(spool.basebackupDirectory(done.name));
  const dead = '2026-01-02_03-04_0';
  await mkdir(join(spool.basebackupDirectory(dead), 'plain'), { recursive: true });
  await writeFile(join(spool.basebackupDirectory(dead), 'plain', 'base.tar'), 'half');
  await bench.store.put(catalog.keys.chunk(dead, 1), sourceOfBytes(Buffer.from('chunk')), { metadata: {} });
  await mkdir(spool.basebackupDirectory('something-else'));
  const stored = await bench.storedKeys();

  await cleanUpAfterCrash(bench.deps);

  assert.deepEqual(
    await bench.storedKeys(),
    stored.filter((key) => !key.includes(dead)),
  );
  assert.deepEqual(await readdir(spool.basebackupsIncomingDirectory), ['something-else']);
  await cleanUpAfterCrash(bench.deps);
});

test('where the store cannot be reached the trace of a dead backup stays, and the next backup removes it', async () => {
  const store = new FaultyStore(new MemoryStore());
  await using bench = await BackupBench.open(store);
  const { catalog, spool } = bench.deps;
  const dead = '2026-01-02_03-04_0';
  await mkdir(spool.basebackupDirectory(dead));
  await writeFile(join(spool.basebackupDirectory(dead), 'large'), 'x');
  await store.put(catalog.keys.chunk(dead, 1), sourceOfBytes(Buffer.from('chunk')), { metadata: {} });
  store.inject({ operation: 'head', how: 'refuse' });
  await assert.rejects(cleanUpAfterCrash(bench.deps), (error) => isOperatorError(error) && error.retryable);
  assert.deepEqual(await bench.spooled(), [dead]);
  store.heal();
  const entry = await takeBasebackup(bench.job(postgres), bench.deps, never);
  assert.deepEqual(await bench.spooled(), []);
  assert.deepEqual(
    (await bench.storedKeys()).filter((key) => !key.includes(entry.name)),
    [],
  );
});
