import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../test/support/simulated-clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { silentLog } from '../lib/log.ts';
import type { ProgramSearch } from '../postgres/programs.ts';
import { ProgramWatch } from './program-watch.ts';
import type { SiteProgram } from './site-programs.ts';

/** A server, and programs of one version each. */
class World {
  readonly clock = new SimulatedClock();
  pgVersion: number | undefined;
  readonly majors: Record<SiteProgram, number | undefined> = { pg_basebackup: 15, pg_receivewal: 15 };
  alert: string | undefined = 'what an earlier life left';
  looks = 0;
  readonly watch: ProgramWatch;

  constructor(programs: readonly SiteProgram[]) {
    const find = async (name: string, { major = '' }: ProgramSearch) => {
      this.looks++;
      const version = this.majors[name as SiteProgram];
      if (version === undefined) throw new OperatorError('program-missing', `there is no ${name}`);
      if (version < Number(major)) throw new OperatorError('program-too-old', `${name} is of ${version}, too old for ${major}`);
      return { path: `/${name}`, version: version * 10_000 };
    };
    this.watch = new ProgramWatch({
      site: 'main',
      programs: programs.map((name) => [name, {}]),
      pgVersion: () => this.pgVersion,
      alerts: {
        raise: async (_name, _site, because) => void (this.alert = because),
        clear: async () => void (this.alert = undefined),
      },
      find,
      clock: this.clock,
      log: silentLog,
    });
  }

  passes(ms: number): Promise<void> {
    return this.clock.run(this.clock.sleep(ms));
  }

  /** Something has changed that the watch is told of. */
  async changes(change: () => void): Promise<void> {
    change();
    this.watch.lookAgain();
    await this.passes(1);
  }
}

test('programs that the server has outgrown are told before anything needs them, until they are mended', async () => {
  const world = new World(['pg_basebackup', 'pg_receivewal']);
  world.watch.start();
  await world.passes(1);
  assert.equal(world.alert, 'what an earlier life left', 'the server has not said yet of which version it is');
  await world.changes(() => (world.pgVersion = 150_018));
  assert.equal(world.alert, undefined);
  await world.changes(() => (world.pgVersion = 180_000));
  assert.match(world.alert ?? '', /^no base backup can be taken: pg_basebackup .* too old for 18; WAL cannot be received: pg_receivewal/);
  await world.changes(() => (world.pgVersion = undefined));
  assert.notEqual(world.alert, undefined, 'a server that is away has not changed');
  world.pgVersion = 180_000;
  world.majors.pg_basebackup = 18;
  await world.passes(300_000);
  assert.match(world.alert ?? '', /^WAL cannot be received/);
  world.majors.pg_receivewal = 18;
  await world.passes(15_000);
  assert.equal(world.alert, undefined, 'nobody had to say that it was mended');
  world.majors.pg_basebackup = 17;
  await world.passes(300_000);
  assert.match(world.alert ?? '', /^no base backup can be taken/, 'nor that it was broken');
  await world.clock.run(world.watch.stop());
});

test('a program that is missing is no mismatch; a site that needs none is looked at for none', async () => {
  const world = new World(['pg_basebackup']);
  world.pgVersion = 150_000;
  world.majors.pg_basebackup = undefined;
  world.watch.start();
  await world.passes(1);
  assert.deepEqual([world.alert, world.looks], [undefined, 1]);
  await world.clock.run(world.watch.stop());
  const none = new World([]);
  none.watch.start();
  await none.passes(1);
  assert.deepEqual([none.alert, none.looks], [undefined, 0]);
  await none.clock.run(none.watch.stop());
});
