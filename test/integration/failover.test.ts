import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ChainedLedger, wholeChain } from '../support/chained-ledger.ts';
import { archiveCommandTo, restoreCommandTo, TestDaemon } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { TestPostgres } from '../support/postgres.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

/** A moment that a restore is to lead back to. */
interface Point {
  readonly name: string;
  readonly timeline: number;
  /** The last row of the ledger by then. */
  readonly last: number;
}

test('two failovers under load, one while the daemon is down, and old primaries that go on: each timeline can be restored', async (t) => {
  await using cluster = await Cluster.start();
  const [first] = cluster.members;
  assert(first);
  await using load = await ChainedLedger.begin(first.postgres);
  await first.daemon.basebackup();
  await load.goesOn();
  const points = [await first.point('before the failover', 1, load)];

  const second = await cluster.addStandbyOf(first);
  await load.goesOn();
  await second.promote();
  // The old primary has not noticed, and goes on writing and archiving WAL that nobody else has.
  await load.goesOn();
  points.push(await first.point('on the old primary', 1, load));
  await load.stop();
  await first.archiveAll();
  await first.postgres.stop();

  await using secondLoad = ChainedLedger.continue(second.postgres);
  await secondLoad.goesOn();
  points.push(await second.point('after the failover', 2, secondLoad));
  await second.archiveAll();

  const third = await cluster.addStandbyOf(second);
  await second.daemon.stop();
  await third.daemon.stop();
  await secondLoad.goesOn();
  await third.promote();
  await secondLoad.goesOn();
  points.push(await second.point('on the second primary', 2, secondLoad));
  await secondLoad.stop();
  await using thirdLoad = ChainedLedger.continue(third.postgres);
  await thirdLoad.goesOn();
  points.push(await third.point('after the second failover', 3, thirdLoad));
  await thirdLoad.stop();
  await second.daemon.launch();
  await third.daemon.launch();
  await second.archiveAll();
  await third.archiveAll();

  for (const point of points) await t.test(`${point.name}, on timeline ${point.timeline}`, (subtest) => cluster.restore(point, subtest));
  for (const { daemon } of cluster.members) assert.doesNotMatch(daemon.log, /wal-conflict|by a bug/);
});

/** One server with a daemon of its own; all daemons of a cluster share the store. */
class Member {
  readonly postgres: TestPostgres;
  readonly daemon: TestDaemon;

  constructor(postgres: TestPostgres, daemon: TestDaemon) {
    this.postgres = postgres;
    this.daemon = daemon;
  }

  async promote(): Promise<void> {
    await this.postgres.query('SELECT pg_promote()');
    await this.postgres.promoted();
  }

  /** Names this moment, and ends the segment that it is in. */
  async point(name: string, timeline: number, load: ChainedLedger): Promise<Point> {
    await load.stop();
    const last = await wholeChain(this.postgres);
    await this.postgres.query('SELECT pg_create_restore_point($1)', [name]);
    load.resume();
    await this.postgres.switchWal();
    return { name, timeline, last };
  }

  /** Ends the segment, and waits until the server knows it and all before it as archived. */
  async archiveAll(): Promise<void> {
    const name = await this.postgres.switchWal();
    const isArchived = async () => {
      const [row] = await this.postgres.query('SELECT last_archived_wal >= $1 AS done FROM pg_stat_archiver', [name]);
      return row?.['done'] === true;
    };
    const what = () => `${name} is archived:\n${this.daemon.log.slice(-3000)}\n${this.postgres.log().slice(-3000)}`;
    await waitFor(isArchived, { withinMs: 60_000, what });
  }
}

class Cluster implements AsyncDisposable {
  readonly members: Member[] = [];
  readonly #directory: string;
  readonly #stack: AsyncDisposableStack;

  static async start(): Promise<Cluster> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await makeTemporaryDirectory());
    const port = await freePort();
    const settings = { archive_mode: 'on', archive_command: archiveCommandTo(port) };
    const postgres = stack.use(await TestPostgres.start({ initdb: ['--wal-segsize=1'], settings }));
    const cluster = new Cluster(path, stack.move());
    try {
      await cluster.#addMember(postgres, port);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(directory: string, stack: AsyncDisposableStack) {
    this.#directory = directory;
    this.#stack = stack;
  }

  /** A new standby from the store, which streams from `primary`. */
  async addStandbyOf({ postgres: primary, daemon }: Member): Promise<Member> {
    const target = join(this.#directory, `standby-${this.members.length}`);
    await daemon.restore(target, ['--primary-conninfo', `host=127.0.0.1 port=${primary.port} user=postgres`]);
    const port = await freePort();
    const restore_command = `${restoreCommandTo(daemon.port)} --retry-interval 0.1`;
    const settings = { archive_mode: 'on', archive_command: archiveCommandTo(port), restore_command };
    const postgres = this.#stack.use(await TestPostgres.startOn(target, settings));
    const streams = async () => (await primary.query(`SELECT FROM pg_stat_replication WHERE state = 'streaming'`)).length > 0;
    await waitFor(streams, { withinMs: 30_000, what: () => `the standby streams:\n${postgres.log()}` });
    return this.#addMember(postgres, port);
  }

  async restore({ name, timeline, last }: Point, t: TestContext): Promise<void> {
    const target = join(this.#directory, `restored ${name}`);
    const [member] = this.members;
    const point = ['--recovery-target-name', name, '--recovery-target-timeline', String(timeline)];
    await member?.daemon.restore(target, ['--restore-to-primary', ...point]);
    await using restored = await TestPostgres.startOn(target, { archive_mode: 'off' });
    await restored.promoted();
    assert.equal(await wholeChain(restored), last);
    t.diagnostic(`${last} rows`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #addMember(postgres: TestPostgres, port: number): Promise<Member> {
    const site = {
      basebackup_interval_hours: null,
      object_storage: { storage_type: 'local', directory: join(this.#directory, 'store') },
    };
    const directory = join(this.#directory, `daemon-${this.members.length}`);
    const daemon = this.#stack.use(await TestDaemon.start({ directory, postgres, port, site }));
    const member = new Member(postgres, daemon);
    this.members.push(member);
    return member;
  }
}
