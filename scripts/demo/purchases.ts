import { systemClock } from '../../src/lib/clock.ts';
import type { Database, Row } from './database.ts';

/** What the table held: the number of rows, and a checksum over all of them that does not depend on their order. */
export interface Fingerprint {
  readonly rows: number;
  readonly checksum: string;
}

type Query = (sql: string, parameters?: readonly unknown[]) => Promise<Row[]>;

const fingerprintSql = `
  SELECT count(*)::int AS rows, coalesce(sum(hashtextextended(purchase::text, 0)::numeric), 0)::text AS checksum
  FROM pghoard_demo.purchases AS purchase`;

export async function createTable({ query }: Database): Promise<void> {
  await query('DROP SCHEMA IF EXISTS pghoard_demo CASCADE');
  await query('CREATE SCHEMA pghoard_demo');
  await query(`
    CREATE TABLE pghoard_demo.purchases (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      customer text NOT NULL,
      cents int NOT NULL,
      bought timestamptz NOT NULL DEFAULT clock_timestamp())`);
}

export async function buy({ query }: Database, rows: number): Promise<void> {
  await query(
    `INSERT INTO pghoard_demo.purchases (customer, cents)
     SELECT md5(random()::text), (random() * 10000)::int FROM generate_series(1, $1)`,
    [rows],
  );
}

export async function fingerprint(query: Query): Promise<Fingerprint> {
  const [row] = await query(fingerprintSql);
  return { rows: Number(row?.['rows']), checksum: String(row?.['checksum']) };
}

/** Waits for the next full second of the server's clock and returns it: all that was committed is before it, all that comes is after it. */
export async function nextSecond({ query }: Database): Promise<string> {
  const [row] = await query(`
    SELECT to_char(second, 'YYYY-MM-DD HH24:MI:SS+00') AS second, extract(epoch FROM second - clock_timestamp()) AS wait
    FROM (SELECT date_trunc('second', clock_timestamp()) + interval '1 second' AS second) AS next`);
  const second = String(row?.['second']);
  await systemClock.sleep(Number(row?.['wait']) * 1000);
  for (;;) {
    const [now] = await query('SELECT clock_timestamp() > $1::timestamptz AS over', [second]);
    if (now?.['over'] === true) return second;
  }
}

/** The mistake. */
export async function dropTable({ query }: Database): Promise<void> {
  await query('DROP TABLE pghoard_demo.purchases');
}
