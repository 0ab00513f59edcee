import { join } from 'node:path';
import { siteName, TestDaemon } from '../../test/support/daemon.ts';
import { Pgbench } from '../../test/support/pgbench.ts';
import { TestPostgres } from '../../test/support/postgres.ts';
import { TestGcs } from '../../test/support/services/gcs.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { UdpListener } from '../../test/support/udp-listener.ts';

/** `archive_command` and a local store; a receiver and a store behind HTTP. */
export const sites = [siteName, 'cloud'] as const;
export type SoakSite = (typeof sites)[number];

/** Base backups only when asked, and always something to delete. */
const retention = { basebackup_interval_hours: null, basebackup_count: 3, retention_confirmation: false };

/** A server under load, and a daemon that keeps it on two sites. */
export interface World {
  readonly directory: string;
  readonly postgres: TestPostgres;
  readonly pgbench: Pgbench;
  readonly gcs: TestGcs;
  readonly daemon: TestDaemon;
}

/** Everything ends with `stack`. */
export async function buildWorld(stack: AsyncDisposableStack, seconds: number): Promise<World> {
  const { path: directory } = stack.use(await makeTemporaryDirectory());
  const settings = { archive_mode: 'on', archive_command: '/bin/false', max_wal_size: '64MB', autovacuum: 'on' };
  const postgres = stack.use(await TestPostgres.start({ initdb: ['--wal-segsize=1'], settings }));
  const gcs = stack.use(await TestGcs.start());
  const statsd = stack.use(await UdpListener.open());
  const daemon = stack.use(
    await TestDaemon.start({
      directory: join(directory, 'pghoard'),
      postgres,
      encrypted: true,
      isInstalled: true,
      site: retention,
      global: { log_level: 'INFO', statsd: { host: '127.0.0.1', port: statsd.port }, prometheus: {} },
    }),
  );
  await daemon.reconfigure({ others: { cloud: cloudSite(postgres, gcs) } });
  await postgres.query(`ALTER SYSTEM SET archive_command = '${daemon.archiveCommand}'`);
  await postgres.query('SELECT pg_reload_conf()');
  const pgbench = await Pgbench.begin(postgres, seconds);
  stack.defer(() => pgbench.stop());
  return { directory, postgres, pgbench, gcs, daemon };
}

function cloudSite({ dsn, dataDirectory, bin }: TestPostgres, gcs: TestGcs): Record<string, unknown> {
  return {
    active_backup_mode: 'walreceiver',
    basebackup_mode: 'pipe',
    ...retention,
    nodes: [{ connection_string: dsn, slot: 'cloud' }],
    pg_data_directory: dataDirectory,
    pg_bin_directory: bin,
    object_storage: {
      storage_type: 'google',
      project_id: 'test-project',
      bucket_name: 'soak',
      credentials: gcs.serviceAccount,
      api_endpoint: gcs.url,
    },
  };
}
