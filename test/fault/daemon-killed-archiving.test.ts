import { test } from 'node:test';
import { afterEvents } from '../support/after-events.ts';
import { FaultSite } from '../support/fault-site.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const kills = 6;
const segmentsPerKill = 5;

test('a daemon that is killed -9 while it archives loses no segment and leaves nothing torn', async (t) => {
  const random = new SeededRandom();
  t.diagnostic(`PGHOARD_TEST_SEED=${random.seed}`);
  await using site = await FaultSite.start({ encrypted: true });
  await site.takeBasebackup();
  for (let kill = 1; kill <= kills; kill++) {
    const where = [site.spooledWalDirectory, site.storedWalDirectory];
    const killed = afterEvents(where, random.between(1, 60), () => process.kill(site.daemon.pid ?? 0, 'SIGKILL'));
    await site.addSegments(segmentsPerKill);
    const answered = site.archiveAllAtOnce();
    t.diagnostic(`kill ${kill}: ${await killed}`);
    await answered;
    await site.daemon.kill9();
    await site.daemon.launch();
    await site.settle();
    await site.check();
  }
  await site.restoreAndCompare();
});
