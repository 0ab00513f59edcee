import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ScriptedWalsender } from '../../../test/support/scripted-walsender.ts';
import { TestWalSite } from '../../../test/support/wal-site.ts';
import { CodecPool } from '../../codec/pool.ts';
import { OperatorError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import type { PgConnection } from '../../postgres/client.ts';
import { keepHistories } from './keep-histories.ts';

const pool = new CodecPool(1);
after(() => pool.close());

const [second, otherSecond] = ['1\t0/3000000\tno recovery target specified\n', '1\t0/3000500\tno recovery target specified\n'];
const third = `${second}\n2\t0/5000000\tno recovery target specified\n`;

class Bench implements AsyncDisposable {
  readonly site: TestWalSite;
  readonly directory: string;
  /** Of the server, by timeline. */
  histories: Record<number, string> = {};
  readonly asked: string[] = [];

  static async start(): Promise<Bench> {
    const site = await TestWalSite.start(pool);
    const directory = join(site.directory, 'incoming');
    await mkdir(directory);
    return new Bench(site, directory);
  }

  private constructor(site: TestWalSite, directory: string) {
    this.site = site;
    this.directory = directory;
  }

  async store(name: string, content: string): Promise<void> {
    await this.site.archiver.archive(name, await this.site.writeBytes(name, Buffer.from(content)));
  }

  async keep(...timelines: number[]): Promise<string[]> {
    const deps = { site: 'main', directory: this.directory, catalog: this.site.catalog, log: silentLog };
    await keepHistories(this.#connection(), timelines, deps, new AbortController().signal);
    return (await readdir(this.directory)).toSorted();
  }

  #connection(): PgConnection {
    const queryBytes = async (sql: string) => {
      this.asked.push(sql);
      const timeline = Number(/\d+/.exec(sql)?.[0]);
      const content = this.histories[timeline];
      if (content === undefined) throw new OperatorError('postgres-error', 'could not open file');
      return [[Buffer.from(`0000000${timeline}.history`), Buffer.from(content)]];
    };
    return { ...new ScriptedWalsender().connection, queryBytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.site[Symbol.asyncDispose]();
  }
}

test('what is neither stored nor received is fetched; an ancestor that the server does not have is left out', async () => {
  await using bench = await Bench.start();
  bench.histories = { 3: third };
  assert.deepEqual(await bench.keep(1, 2, 3), ['00000003.history']);
  bench.histories = { 2: second, 3: third };
  assert.deepEqual(await bench.keep(1, 2, 3), ['00000002.history', '00000003.history']);
  await assert.rejects(bench.keep(1, 2, 3, 4), { code: 'postgres-error' });
});

test("those that are stored are not fetched again, but for the server's own", async () => {
  await using bench = await Bench.start();
  bench.histories = { 2: second, 3: third };
  await bench.store('00000002.history', second);
  await bench.store('00000003.history', third);
  assert.deepEqual(await bench.keep(1, 2, 3), []);
  assert.deepEqual(bench.asked, ['TIMELINE_HISTORY 3']);
});

test('a server whose timeline is another of the same number is refused, be it known from the store or only from here', async () => {
  await using bench = await Bench.start();
  bench.histories = { 2: otherSecond };
  await bench.store('00000002.history', second);
  await assert.rejects(bench.keep(1, 2), { code: 'wal-conflict' });
  bench.histories = { 2: second };
  assert.deepEqual(await bench.keep(1, 2), []);

  await writeFile(join(bench.directory, '00000003.history'), third);
  bench.histories = { 2: otherSecond, 3: third.replace(second, otherSecond) };
  await assert.rejects(bench.keep(1, 2, 3), { code: 'wal-conflict' });
});

test('a new timeline that comes from another of the same number is refused', async () => {
  await using bench = await Bench.start();
  await bench.store('00000002.history', second);
  bench.histories = { 2: otherSecond, 3: third.replace(second, otherSecond) };
  await assert.rejects(bench.keep(1, 2, 3), { code: 'wal-conflict' });
  assert.deepEqual(await readdir(bench.directory), []);
});
