import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LeaseDaemon, LeaseWorld, ttlMs } from '../../test/support/lease-world.ts';
import { SeededRandom } from '../../test/support/seeded-random.ts';

const worldsCount = 60;
const stepsCount = 500;

test('whatever is delayed, lost, paused or killed, two daemons never have the lease at once, and in the end one has it', async (t) => {
  const { seed } = new SeededRandom();
  t.diagnostic(`PGHOARD_TEST_SEED=${seed}`);
  let changes = 0;
  let steps = 0;
  for (let world = 0; world < worldsCount; world++) {
    const random = new SeededRandom((seed + world) >>> 0);
    const all = new LeaseWorld(random.between(2, 3), random);
    let last: LeaseDaemon | undefined;
    for (let step = 0; step < stepsCount; step++) {
      await oneStep(all, random);
      const { holders } = all;
      assert.ok(
        holders.length <= 1,
        `seed ${seed}, world ${world}, step ${step}, ${all.nowMs} ms: ${holders.length} daemons have the lease`,
      );
      const [holder] = holders;
      if (holder && holder !== last) changes++;
      last = holder ?? last;
      steps++;
    }
    await all.calm(4 * ttlMs);
    assert.equal(all.holders.length, 1, `seed ${seed}, world ${world}: in the end somebody has the lease`);
  }
  t.diagnostic(`${steps} steps, the lease went to another daemon ${changes} times`);
  assert.ok(changes > worldsCount, 'the lease goes from one to another');
});

/** Mostly what is on its way goes on; now and then something happens. */
async function oneStep(world: LeaseWorld, random: SeededRandom): Promise<void> {
  const waiting = world.requests.filter(({ isApplied }) => !isApplied);
  const answerable = world.requests.filter(({ isApplied, from }) => isApplied && world.daemons[from]?.isPaused === false);
  const pick = <T>(items: readonly T[]) => items[random.between(0, items.length - 1)];
  const [request, answered, daemon] = [pick(waiting), pick(answerable), pick(world.daemons)];
  const chance = random.next();
  if (daemon && chance < 0.01) return daemon.restart();
  if (daemon && chance < 0.05) {
    daemon.isPaused = !daemon.isPaused;
    return;
  }
  if (request && chance < 0.4) return chance < 0.06 ? world.answer(request, true) : world.apply(request);
  if (answered && chance < 0.75) return world.answer(answered, chance > 0.74);
  await world.advance(random.between(0, chance > 0.95 ? ttlMs : ttlMs / 8));
}
