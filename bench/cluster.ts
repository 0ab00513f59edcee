import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { TestPostgres } from '../test/support/postgres.ts';
import { run } from './run.ts';

const textRowsPerScale = 5000;
/** In one transaction, which has to lock them all. */
const tablesAtOnce = 500;
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

export interface DataSize {
  /** As pgbench: about 15 MB each, and 5000 rows of prose. */
  readonly scale: number;
  /** Small ones: each makes a file for itself, one for its key and two for what is too long for a row. */
  readonly tables: number;
}

/**
 * A Debian PostgreSQL 15 with pgbench's tables, one of prose, which compresses like most of what people keep, and many small ones, as applications with a
 * schema per customer have. The same with each start.
 */
export async function startCluster({ scale, tables }: DataSize): Promise<TestPostgres> {
  const postgres = await TestPostgres.start({
    version: '15',
    settings: {
      archive_mode: 'on',
      archive_command: 'true',
      shared_buffers: '128MB',
      max_wal_size: '4GB',
      wal_keep_size: '4GB',
      max_locks_per_transaction: '1024',
    },
  });
  await run(join(postgres.bin, 'pgbench'), ['--initialize', '--quiet', `--scale=${scale}`, postgres.dsn]);
  await makeProse(postgres, scale * textRowsPerScale);
  for (let first = 1; first <= tables; first += tablesAtOnce) await makeTables(postgres, first, Math.min(tables, first + tablesAtOnce - 1));
  await postgres.query('CHECKPOINT');
  return postgres;
}

async function makeProse(postgres: TestPostgres, rows: number): Promise<void> {
  const list = words.map((word) => `'${word}'`).join(', ');
  await postgres.query('SELECT setseed(0.5)');
  await postgres.query(`
    CREATE TABLE prose AS
    SELECT id, array_to_string(ARRAY(SELECT (ARRAY[${list}])[1 + (id + n * random())::int % ${words.length}] FROM generate_series(1, 40) AS n), ' ') AS text
    FROM generate_series(1, ${rows}) AS id`);
}

async function makeTables(postgres: TestPostgres, first: number, last: number): Promise<void> {
  await postgres.query(`
    DO $$ BEGIN
      FOR n IN ${first}..${last} LOOP
        EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, text text)', n);
        EXECUTE format('INSERT INTO small_%s SELECT i, md5((i * %s)::text) FROM generate_series(1, 1 + %s %% 200) AS i', n, n, n);
      END LOOP;
    END $$`);
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

/** The process that runs archive_command. */
export async function archiverOf(postgres: TestPostgres): Promise<number> {
  const [row] = await postgres.query(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'archiver'`);
  return Number(row?.['pid']);
}
