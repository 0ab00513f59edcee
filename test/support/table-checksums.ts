import type { TestPostgres } from './postgres.ts';

/** A digest of the rows of every table of the connected database, those of the catalogs included, by qualified name. */
export async function tableChecksums(postgres: TestPostgres): Promise<Record<string, string>> {
  const tables = await postgres.query(`
    SELECT oid::regclass::text AS name FROM pg_class
    WHERE relkind IN ('r', 'm') AND relpersistence = 'p' ORDER BY oid::regclass::text COLLATE "C"`);
  const digests = tables.map(({ name }) => {
    const rows = `count(*) || ' rows, ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C")), '')`;
    return `SELECT '${String(name).replaceAll("'", "''")}' AS name, ${rows} AS digest FROM ${String(name)} AS t`;
  });
  const found = await postgres.query(digests.join(' UNION ALL '));
  return Object.fromEntries(found.map(({ name, digest }) => [name, digest]));
}
