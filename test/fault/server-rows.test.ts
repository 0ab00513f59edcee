import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../support/package-root.ts';

/** What may go wrong between us and the servers, by number, and where it is tried: a file, and words of the name of a test there. */
const rows: Readonly<Record<number, { readonly fault: string; readonly tried: readonly (readonly [file: string, words: string])[] }>> = {
  39: {
    fault: 'the server that WAL comes from is not the primary any more',
    tried: [
      ['test/integration/server-roles.test.ts', 'after a failover WAL and base backups come from the new primary'],
      ['src/wal/receive/node-order.test.ts', 'a server that delivers is left for the primary'],
    ],
  },
  40: {
    fault: 'no WAL comes for hours, because nothing is written',
    tried: [
      ['src/daemon/health/restorable.test.ts', 'an idle server stays fresh (fault row 40)'],
      ['src/daemon/servers/primary-progress.test.ts', 'on an idle cluster nobody is behind'],
    ],
  },
  56: {
    fault: 'a standby is promoted while it is backed up',
    tried: [['test/integration/backup-from-standby.test.ts', 'a standby that is promoted in the middle']],
  },
  58: {
    fault: 'a standby lags, or its replay is paused',
    tried: [
      ['src/daemon/servers/choose-for-basebackup.test.ts', 'nor one whose replay is paused'],
      ['src/daemon/servers/choose-for-basebackup.test.ts', 'unless there is a limit'],
    ],
  },
  62: {
    fault: 'a base backup takes longer than the server keeps its WAL',
    tried: [['test/integration/walreceiver.test.ts', 'the slot is made, and holds WAL']],
  },
  100: {
    fault: 'clocks that are set, also twice a year',
    tried: [
      ['src/daemon/next-step.test.ts', 'a clock that was ahead does not hold up the schedule'],
      ['src/daemon/schedule.test.ts', 'the hour that never comes'],
      ['src/daemon/schedule.test.ts', 'before the hour that comes twice'],
    ],
  },
};

test('each of the faults of servers and clocks is tried somewhere', async () => {
  assert.deepEqual(Object.keys(rows).map(Number), [39, 40, 56, 58, 62, 100]);
  for (const [row, { fault, tried }] of Object.entries(rows)) {
    for (const [file, words] of tried) {
      const text = await readFile(join(packageRoot, file), 'utf8');
      assert.ok(text.includes(words), `${file} has no test with "${words}", which is to try fault ${row}: ${fault}`);
    }
  }
});
