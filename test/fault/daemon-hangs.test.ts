import assert from 'node:assert/strict';
import { mkdir, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runProgram } from '../../src/lib/subprocess.ts';
import { FaultSite } from '../support/fault-site.ts';
import { packageRoot } from '../support/package-root.ts';
import { descendantsOf, isRunning } from '../support/process-tree.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const stalledAfter = { listing: 2, basebackup: 4 };

let site: FaultSite;
let scratch: TemporaryDirectory;

before(async () => {
  scratch = await makeTemporaryDirectory();
  const preload = join(packageRoot, 'dist/test/support/dead-disk-preload.js');
  // A pg_basebackup that stops itself where it is told to.
  const program = join(scratch.path, 'pg_basebackup');
  const stop = `case " $* " in *--version*) ;; *) if rm ${join(scratch.path, 'stop')} 2> /dev/null; then kill -STOP $$; fi ;; esac`;
  await writeFile(program, `#!/bin/sh\n${stop}\nexec ${join(scratch.path, 'original')} "$@"\n`, { mode: 0o755 });
  site = await FaultSite.start({
    site: { basebackup_mode: 'pipe', pg_basebackup_path: program },
    global: { stalled_after_seconds: stalledAfter },
    env: {
      NODE_OPTIONS: `--import=${preload}`,
      PGHOARD_TEST_DEAD_DISK: join(scratch.path, 'disk'),
      PGHOARD_TEST_DEAD_PIPE: join(scratch.path, 'pipe'),
    },
  });
  await symlink(join(site.postgres.bin, 'pg_basebackup'), join(scratch.path, 'original'));
});
after(async () => {
  await site[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

async function alertsOf(name: string): Promise<string[]> {
  const status = (await (await site.daemon.request('GET', '/status')).json()) as {
    pghoard: { alerts: { name: string; site: string; because: string }[] };
  };
  return status.pghoard.alerts.filter((alert) => alert.site === name && alert.name === 'job_stalled').map(({ because }) => because);
}

test('a store that does not answer holds up its own site only, and that until it answers', async () => {
  const store = join(scratch.path, 'disk');
  const pipe = join(scratch.path, 'pipe');
  await mkdir(join(store, 'dead', 'basebackup'), { recursive: true });
  const dead = { active: false, object_storage: { storage_type: 'local', directory: store } };
  await runProgram('mkfifo', [pipe]);
  await site.daemon.reconfigure({ others: { dead } });

  await waitFor(async () => (await alertsOf('dead')).length > 0, {
    withinMs: 60_000,
    what: () => `the alert:\n${site.daemon.log.slice(-2000)}`,
  });
  assert.match((await alertsOf('dead'))[0] ?? '', /no progress any more: the listing of base backups/);
  await site.takeBasebackup();
  await site.settle();
  await site.check();
  assert.deepEqual(await readFile(join(site.daemon.directory, 'alerts', 'job_stalled'), 'utf8'), 'alert');

  // Everybody who waits there gets on.
  await using answer = await open(pipe, 'r+');
  await rm(pipe);
  await waitFor(async () => (await alertsOf('dead')).length === 0, { withinMs: 60_000, what: 'the alert goes' });
  assert((await site.daemon.request('GET', '/dead/basebackup')).ok);
  await answer.close();
  await site.daemon.reconfigure({ others: { dead: undefined } });
});

test('a base backup that hangs is given up, nothing of it stays, and WAL goes its way', async () => {
  const { basebackups } = await site.check();
  const from = site.daemon.log.length;
  await writeFile(join(scratch.path, 'stop'), '');
  await site.requestBasebackup();
  const pid = await waitFor(() => stoppedChild(), { withinMs: 60_000, what: 'pg_basebackup has stopped' });
  await site.settle();
  const isGivenUp = () => /base backup failed: the base backup has made no progress for \d+ s/.test(site.daemon.log.slice(from));
  await waitFor(isGivenUp, { withinMs: 60_000, what: () => `it is given up:\n${site.daemon.log.slice(from)}` });
  await waitFor(() => !isRunning(pid), { withinMs: 30_000, what: 'pg_basebackup is ended, too' });
  assert.equal((await site.daemon.basebackups(basebackups.length + 1)).length, basebackups.length + 1, 'the next attempt succeeds');
  await waitFor(async () => (await alertsOf('main')).length === 0, { withinMs: 30_000, what: 'the alert goes' });
  await site.check();
  await site.restoreAndCompare();
});

async function stoppedChild(): Promise<number | undefined> {
  for (const pid of descendantsOf(site.daemon.pid ?? 0)) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    if (/^State:\s+T/m.test(status)) return pid;
  }
  return undefined;
}
