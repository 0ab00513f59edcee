import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertTried, type FaultRows } from '../support/fault-rows.ts';

/** What may happen to what is kept, by number, and where it is tried. */
const rows: FaultRows = {
  72: {
    fault: 'what a backup shares is gone or damaged',
    tried: [
      ['src/retention/sweep-delta-files.test.ts', 'a damaged index, or something among the backups that is none, keeps every file'],
      ['src/restore/restore-delta.test.ts', 'ends the restore, and nothing can be started'],
    ],
  },
  74: {
    fault: 'files are swept while a backup shares them',
    tried: [
      ['src/retention/sweep-delta-files.test.ts', 'the index of a backup that is about to be complete protects old files'],
      ['src/retention/sweep-delta-files.test.ts', 'files that nobody names may belong to a backup that is being taken'],
    ],
  },
  85: {
    fault: 'a restore of what is to be deleted',
    tried: [
      [
        'src/restore/restore.test.ts',
        'what is being restored is kept: for hours, renewed while it runs, and for a day of recovery once it is done',
      ],
      ['src/restore/restore.test.ts', 'a restore that fails leaves a request that runs out by itself'],
      ['test/integration/retention.test.ts', 'a restored server has a day to fetch its WAL'],
    ],
  },
  91: {
    fault: 'a clock that is wrong by a year, a host that slept for a month',
    tried: [
      ['src/retention/decide.test.ts', 'a clock that is a year ahead lets nothing go by its age or a window'],
      ['src/retention/decide.test.ts', 'one taken by a clock a year behind is not the oldest'],
      ['src/retention/decide.test.ts', 'a month asleep is no age, either'],
      ['src/retention/plan.test.ts', 'a clock that is a year ahead takes nobody for given up'],
      ['src/retention/decide-properties.test.ts', 'a wrong clock lets nothing go that the right one keeps'],
      ['src/daemon/site-retention.test.ts', 'more than half goes only once it is confirmed'],
    ],
  },
  92: {
    fault: 'a slip of the pen in the policy',
    tried: [
      ['src/config/bad-retention.test.ts', 'a negative window'],
      ['src/cli/retention.test.ts', 'tells what would have to be confirmed'],
      ['src/daemon/check/store/judge-retention.test.ts', 'what the policy deletes next is told'],
    ],
  },
  93: {
    fault: 'the segment in which the oldest backup begins',
    tried: [
      ['src/retention/decide.test.ts', 'WAL is needed from the start of the oldest kept backup on'],
      ['src/retention/decide-properties.test.ts', 'all WAL stays that a kept base backup needs'],
    ],
  },
  94: {
    fault: 'WAL that several need, on several timelines',
    tried: [
      ['src/retention/prune.test.ts', 'the WAL of every timeline that only it needed'],
      ['src/retention/prune.test.ts', 'a preserved backup stays with its WAL until the request is cancelled'],
      ['src/retention/plan.test.ts', 'a base backup that is being taken elsewhere keeps the WAL'],
      ['src/retention/decide.test.ts', 'a timeline that no base backup has reached may be the one in use'],
      ['src/retention/unneeded-histories.test.ts', 'an ancestor of one with WAL'],
    ],
  },
  95: {
    fault: 'a deletion that is broken off',
    tried: [
      ['test/fault/prune-killed.test.ts', 'a prune that is killed again and again in a directory is finished by the next'],
      ['src/retention/sweep-delta-files.test.ts', 'a deletion interrupted at'],
      ['src/daemon/site-retention.test.ts', 'what was confirmed and broken off goes on'],
    ],
  },
  96: {
    fault: 'backups that failed',
    tried: [
      ['src/retention/decide.test.ts', 'one that cannot be restored does not count'],
      ['src/retention/plan.test.ts', 'a base backup of which WAL is missing counts for nothing'],
      ['src/retention/prune.test.ts', 'nothing goes until the last WAL that the newest backup needs is stored'],
    ],
  },
};

test('each of the faults of retention is tried somewhere', async () => {
  for (const row of [72, 74, 85, 91, 92, 93, 94, 95, 96]) assert.ok(rows[row], `nobody tries fault ${row}`);
  await assertTried(rows);
});
