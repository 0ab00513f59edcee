import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { nextWalName } from '../../src/postgres/wal-name.ts';
import { ChainedLedger, wholeChain } from '../support/chained-ledger.ts';
import { checkStore } from '../support/check-store.ts';
import { TestDaemon } from '../support/daemon.ts';
import { assertPgbenchBalanced } from '../support/load.ts';
import { Pgbench } from '../support/pgbench.ts';
import { TestPostgres } from '../support/postgres.ts';
import { descendantsOf, signalProcess } from '../support/process-tree.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

/** Of kills; a long run takes 180. */
const seconds = Number(process.env['PGHOARD_TEST_CHAOS_SECONDS'] ?? 8);
/** On a slow machine, too. */
const eventsMin = 6;
const segmentBytes = 1024 * 1024;

const modes = ['archive_command', 'pg_receivexlog', 'walreceiver'] as const;
type Mode = (typeof modes)[number];
type Event = 'kill the daemon' | 'kill the receiver' | 'cut the connection' | 'kill PostgreSQL' | 'checkpoint' | 'switch segments';

/** As often as it stands here. */
const eventsOf: Readonly<Record<Mode, readonly Event[]>> = {
  archive_command: ['kill the daemon', 'kill the daemon', 'kill PostgreSQL', 'checkpoint', 'switch segments'],
  pg_receivexlog: ['kill the daemon', 'kill the receiver', 'kill PostgreSQL', 'checkpoint', 'switch segments'],
  walreceiver: ['kill the daemon', 'cut the connection', 'kill PostgreSQL', 'checkpoint', 'switch segments'],
};

test('whoever is killed -9 and whenever, the archive has all WAL and no transaction is lost', { concurrency: true }, async (t) => {
  const inMode = (mode: Mode) =>
    t.test(mode, async (subtest) => {
      await using site = await ChaosSite.start(mode, subtest);
      await site.rage(seconds * 1000);
      const last = await site.calmDown();
      await site.assertArchiveWhole(last);
      await site.assertNothingLost();
    });
  await Promise.all(modes.map(inMode));
});

/** A server under load with a daemon, both of which are killed again and again. */
class ChaosSite implements AsyncDisposable {
  readonly #mode: Mode;
  readonly #test: TestContext;
  readonly #random = new SeededRandom();
  readonly #directory: string;
  readonly #postgres: TestPostgres;
  readonly #daemon: TestDaemon;
  readonly #stack: AsyncDisposableStack;
  readonly #ledger: ChainedLedger;
  readonly #pgbench: Pgbench;

  static async start(mode: Mode, t: TestContext): Promise<ChaosSite> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await makeTemporaryDirectory());
    // Nothing is recycled, so that what was archived can be compared with what was written.
    const settings = { archive_mode: mode === 'archive_command' ? 'on' : 'off', archive_command: '/bin/false', wal_keep_size: '16GB' };
    const postgres = stack.use(await TestPostgres.start({ initdb: ['--wal-segsize=1'], settings }));
    const slot = 'pghoard';
    if (mode !== 'archive_command') await postgres.query(`SELECT pg_create_physical_replication_slot('${slot}', true)`);
    const node = mode === 'archive_command' ? postgres.dsn : { connection_string: postgres.dsn, slot };
    const site = { active_backup_mode: mode, basebackup_interval_hours: null, nodes: [node] };
    const daemon = stack.use(await TestDaemon.start({ directory: join(path, 'pghoard'), postgres, site }));
    await postgres.query(`ALTER SYSTEM SET archive_command = '${daemon.archiveCommand}'`);
    await postgres.query('SELECT pg_reload_conf()');
    const pgbench = await Pgbench.begin(postgres);
    stack.defer(() => pgbench.stop());
    const ledger = stack.use(await ChainedLedger.begin(postgres));
    await daemon.basebackup();
    return new ChaosSite({ mode, t, path, postgres, daemon, ledger, pgbench, stack: stack.move() });
  }

  private constructor(made: ChaosSiteParts) {
    this.#mode = made.mode;
    this.#test = made.t;
    this.#directory = made.path;
    this.#postgres = made.postgres;
    this.#daemon = made.daemon;
    this.#ledger = made.ledger;
    this.#pgbench = made.pgbench;
    this.#stack = made.stack;
  }

  async rage(forMs: number): Promise<void> {
    const counts = new Map<Event, number>();
    const end = performance.now() + forMs;
    for (let number = 0; number < eventsMin || performance.now() < end; number++) {
      await delay(this.#random.between(50, 700));
      const events = eventsOf[this.#mode];
      const event = events[this.#random.between(0, events.length - 1)] as Event;
      counts.set(event, (counts.get(event) ?? 0) + 1);
      await this.#happen(event);
    }
    this.#test.diagnostic(`seed ${this.#random.seed}: ${[...counts].map(([event, count]) => `${event} ${count} ×`).join(', ')}`);
  }

  /** Ends the load and resolves to the last segment, once it is archived. */
  async calmDown(): Promise<string> {
    await this.#ledger.stop();
    await this.#pgbench.stop();
    const last = await this.#postgres.switchWal();
    await this.#daemon.archived(last, 120_000);
    // Segments are stored several at a time: one may still be under way when a later one is there.
    const isWhole = async () => missingIn(await this.#stored()) === undefined;
    const what = () => `the archive has no hole; seed ${this.#random.seed}:\n${this.#daemon.log}`;
    await waitFor(isWhole, { withinMs: 60_000, what });
    return last;
  }

  async #stored(): Promise<string[]> {
    const { store, keys } = await this.#daemon.catalog();
    const names: string[] = [];
    for await (const { key } of store.list(keys.walPrefix)) names.push(key.slice(keys.walPrefix.length));
    return names;
  }

  /** Every segment up to the last is there once, as the server wrote it. */
  async assertArchiveWhole(last: string): Promise<void> {
    const { wal } = await checkStore(await this.#daemon.catalog());
    const names = [...wal.keys()].filter((name) => /^[0-9A-F]{24}$/.test(name)).toSorted();
    assert.equal(missingIn(names), undefined, `no hole; seed ${this.#random.seed}`);
    for (const name of names) {
      const written = await readFile(join(this.#postgres.dataDirectory, 'pg_wal', name));
      assert.equal(wal.get(name), createHash('sha1').update(written).digest('hex'), `${name}; seed ${this.#random.seed}`);
    }
    assert.equal(names.at(-1), last);
    assert.deepEqual(await readdir(join(this.#daemon.spoolDirectory, 'xlog_incoming', 'rejected')).catch(() => []), []);
    assert.doesNotMatch(this.#daemon.log, /wal-conflict|by a bug/);
    this.#test.diagnostic(`${names.length} segments archived`);
  }

  async assertNothingLost(): Promise<void> {
    const target = join(this.#directory, 'restored');
    await this.#daemon.restore(target, ['--restore-to-primary']);
    await using restored = await TestPostgres.startOn(target, { archive_mode: 'off' });
    await restored.promoted(120_000);
    assert.equal(await wholeChain(restored), await wholeChain(this.#postgres), `seed ${this.#random.seed}`);
    assert((await wholeChain(restored)) >= this.#ledger.acknowledged);
    await assertPgbenchBalanced(restored);
    this.#test.diagnostic(`${this.#ledger.acknowledged} transactions of the ledger acknowledged, all are there`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #happen(event: Event): Promise<void> {
    switch (event) {
      case 'kill the daemon':
        await this.#daemon.kill9();
        await delay(this.#random.between(0, 1000));
        return this.#daemon.launch();
      case 'kill the receiver':
        for (const pid of descendantsOf(this.#daemon.pid ?? 0)) signalProcess(pid, 'SIGKILL');
        return;
      case 'cut the connection':
        await this.#postgres.query('SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
        return;
      case 'kill PostgreSQL':
        await this.#postgres.kill9();
        await delay(this.#random.between(0, 300));
        await this.#postgres.launch();
        return this.#pgbench.resume();
      case 'checkpoint':
        await this.#postgres.query('CHECKPOINT');
        return;
      case 'switch segments':
        await this.#postgres.switchWal();
        return;
    }
  }
}

/** The first segment that is missing between the first one and the last one, which are in ascending order. */
function missingIn(names: readonly string[]): string | undefined {
  const follower = (name: string) => nextWalName(name, segmentBytes);
  const at = names.findIndex((name, index) => index + 1 < names.length && names[index + 1] !== follower(name));
  return at === -1 ? undefined : follower(names[at] as string);
}

interface ChaosSiteParts {
  readonly mode: Mode;
  readonly t: TestContext;
  readonly path: string;
  readonly postgres: TestPostgres;
  readonly daemon: TestDaemon;
  readonly ledger: ChainedLedger;
  readonly pgbench: Pgbench;
  readonly stack: AsyncDisposableStack;
}
