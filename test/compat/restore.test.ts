import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOurs } from '../support/commands.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { TestPostgres } from '../support/postgres.ts';
import { Fixture, type FixtureName } from './fixture.ts';

/** How recovery is told where to end. What the command has no flag for is written to the settings, as an operator would. */
type Target = 'by name' | 'by time' | 'by xid' | 'to the end' | 'to the end of timeline 1' | 'to the end of the backup';

/** Every state that recovery can be told to end at, and every kind of target on several fixtures. */
const restores: Readonly<Record<FixtureName, readonly (readonly [state: string, target: Target])[]>> = {
  'a-snappy-pipe-plain': [
    ['at_first_backup', 'to the end of the backup'],
    ['rp_one', 'by time'],
    ['latest', 'to the end'],
  ],
  'b-lzma-basic-enc': [
    ['at_first_backup', 'to the end of the backup'],
    ['rp_one', 'by name'],
    ['latest', 'to the end'],
  ],
  'c-zstd-localtar-enc-tablespace': [
    ['at_first_backup', 'to the end of the backup'],
    ['rp_one', 'by xid'],
    ['latest', 'to the end'],
  ],
  'd-snappy-delta-plain': [
    ['at_first_backup', 'to the end of the backup'],
    ['rp_one', 'by xid'],
    ['at_second_backup', 'to the end of the backup'],
    ['rp_two', 'by time'],
    ['latest', 'to the end'],
  ],
  'e-snappy-localtardeltastats-plain': [
    ['at_first_backup', 'to the end of the backup'],
    ['rp_one', 'by name'],
    ['at_second_backup', 'to the end of the backup'],
    ['rp_two', 'by xid'],
    ['latest', 'to the end'],
  ],
  'f-snappy-basic-timelines': [
    ['at_first_backup', 'to the end of the backup'],
    ['rp_one', 'by name'],
    ['tl1_end', 'to the end of timeline 1'],
    ['rp_tl2', 'by time'],
    ['latest', 'to the end'],
  ],
  'g-pghoard14-pipe-snappy-enc': [
    ['at_first_backup', 'to the end of the backup'],
    ['rp_one', 'by time'],
    ['latest', 'to the end'],
  ],
  'h-pghoard14-localtar-lzma-tablespace': [
    ['rp_one', 'by xid'],
    ['latest', 'to the end'],
  ],
};

for (const [name, states] of Object.entries(restores)) {
  test(name, async (t) => {
    await using fixture = await Fixture.unpack(name as FixtureName);
    await using daemon = await fixture.daemon();
    for (const [state, target] of states) {
      await t.test(`${state}, ${target}`, async () => {
        await using server = await restoreAndStart(fixture, daemon, state, target);
        await server.promoted();
        await fixture.expectState(server, state);
      });
    }
  });
}

async function restoreAndStart(fixture: Fixture, daemon: TestDaemon, state: string, target: Target): Promise<TestPostgres> {
  const directory = fixture.place(`restored-${state}`);
  const tablespaces = await Promise.all(
    Object.keys(fixture.expected.tablespaces).map(
      async (name) => `--tablespace-dir=${name}=${await fixture.tablespace(`${name}-${state}`)}`,
    ),
  );
  const where = ['--config', daemon.configFile, '--site', fixture.expected.site, '--target-dir', directory, ...tablespaces];
  const flags = ['--restore-to-primary', ...targetFlags(fixture, state, target)];
  const { code, stdout, stderr } = await runOurs('restore', ['get-basebackup', ...where, ...flags]);
  assert.equal(code, 0, stdout + stderr);
  const settings = targetSettings[target];
  if (settings) await appendFile(join(directory, 'postgresql.auto.conf'), settings);
  return TestPostgres.startOn(directory, { archive_mode: 'off', fsync: 'off' });
}

const targetSettings: Partial<Record<Target, string>> = {
  'to the end of the backup': "recovery_target = 'immediate'\n",
};

/** With a time, the base backup is chosen for us. */
function targetFlags(fixture: Fixture, stateName: string, target: Target): string[] {
  const { target: point } = fixture.state(stateName);
  if (target === 'to the end of the backup') return ['--basebackup', fixture.basebackupOf(stateName)];
  if (point === null || point === 'latest') return [];
  if ('timeline' in point) return ['--recovery-target-timeline', String(point.timeline)];
  if (target === 'by time') return ['--recovery-target-time', point.time];
  const flag = target === 'by name' ? ['--recovery-target-name', point.name] : ['--recovery-target-xid', point.xid];
  return ['--basebackup', fixture.basebackupOf(stateName), ...flag];
}
