import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { TestPostgres } from '../test/support/postgres.ts';
import { run } from './run.ts';

const textRowsPerScale = 5000;
const words = [
  'order',
  'invoice',
  'customer',
  'delivered',
  'pending',
  'refund',
  'Helsinki',
  'Lisbon',
  'thanks',
  'urgent',
  'warehouse',
  'blue',
];

/** A Debian PostgreSQL 15 with pgbench's tables and one of prose, which compresses like most of what people keep. */
export async function startCluster(scale: number): Promise<TestPostgres> {
  const postgres = await TestPostgres.start({
    version: '15',
    settings: { archive_mode: 'on', archive_command: 'true', shared_buffers: '128MB', max_wal_size: '4GB', wal_keep_size: '4GB' },
  });
  await run(join(postgres.bin, 'pgbench'), ['--initialize', '--quiet', `--scale=${scale}`, postgres.dsn]);
  const list = words.map((word) => `'${word}'`).join(', ');
  await postgres.query(`
    CREATE TABLE prose AS
    SELECT id, array_to_string(ARRAY(SELECT (ARRAY[${list}])[1 + (id + n * random())::int % ${words.length}] FROM generate_series(1, 40) AS n), ' ') AS text
    FROM generate_series(1, ${scale * textRowsPerScale}) AS id`);
  await postgres.query('CHECKPOINT');
  return postgres;
}

/** Produces WAL until `count` segments are full, and returns their paths. */
export async function finishSegments(postgres: TestPostgres, count: number): Promise<string[]> {
  const first = await postgres.switchWal();
  const finished = async () => {
    const [row] = await postgres.query('SELECT pg_walfile_name(pg_current_wal_lsn()) AS current');
    const names = await readdir(join(postgres.dataDirectory, 'pg_wal'));
    return names.filter((name) => /^[0-9A-F]{24}$/.test(name) && name > first && name < String(row?.['current'])).toSorted();
  };
  let names = await finished();
  for (let from = 1; names.length < count; from += 20_000) {
    await postgres.query('UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid BETWEEN $1 AND $1 + 20000', [from % 80_000]);
    names = await finished();
  }
  return names.slice(0, count).map((name) => join(postgres.dataDirectory, 'pg_wal', name));
}

export async function databaseBytes(postgres: TestPostgres): Promise<number> {
  const [row] = await postgres.query('SELECT sum(pg_database_size(oid))::bigint::text AS bytes FROM pg_database');
  return Number(row?.['bytes']);
}

export async function archiveWith(postgres: TestPostgres, command: string): Promise<void> {
  await postgres.query(`ALTER SYSTEM SET archive_command = '${command.replaceAll("'", "''")}'`);
  await postgres.query('SELECT pg_reload_conf()');
}
