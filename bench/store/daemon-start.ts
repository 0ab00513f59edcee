import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import { TestDaemon } from '../../test/support/daemon.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import type { ChildReport } from './child.ts';
import { siteName } from './made-store.ts';

const idleWithinMs = 120_000;

/** From the start of the process until it has looked at everything and waits: with the listing for holes and the one for WAL that nobody needs. */
export async function startDaemon(directory: string): Promise<ChildReport> {
  const site = {
    active: true,
    active_backup_mode: 'archive_command',
    basebackup_mode: 'basic',
    basebackup_interval_hours: null,
    basebackup_count: 2,
    // Nobody answers there: what the daemon knows it knows from the store.
    nodes: ['host=127.0.0.1 port=1'],
    pg_data_directory: join(directory, 'pgdata'),
    object_storage: { storage_type: 'local', directory: join(directory, 'store') },
  };
  await using daemon = await TestDaemon.prepare({ directory, site });
  const startedMs = systemClock.monotonicMs();
  await daemon.launch();
  const isIdle = () => /listed the WAL that is stored/.test(daemon.log) && /base backups are only taken on request/.test(daemon.log);
  await waitFor(isIdle, { withinMs: idleWithinMs, what: () => `the daemon is idle\n${daemon.log}` });
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  const status = await readFile(`/proc/${daemon.pid}/status`, 'utf8');
  const peakBytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  await daemon.stop();
  return { seconds, peakBytes, outcome: `site ${siteName} is idle` };
}
