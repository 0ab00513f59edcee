import { stat } from 'node:fs/promises';
import type { Client } from 'pg';
import { OperatorError } from '../../src/lib/errors.ts';
import { readControlFile } from '../../src/postgres/control-file.ts';
import type { SystemUser } from '../../test/support/system-user.ts';
import { connect, type Database, serverVersion, setArchiveCommand } from './database.ts';

/** A PostgreSQL that runs already, by `--dsn`. Everything that stands in the way is found before anything is changed. */
export interface GivenDatabase extends Database {
  /** Who its files belong to. */
  readonly owner: SystemUser;
}

export async function useGiven(dsn: string): Promise<GivenDatabase> {
  const client = await connect({ connectionString: dsn }).catch((error: unknown) => {
    throw refusal('cannot connect to the database given with --dsn', 'Check the URI with psql.', error);
  });
  try {
    const dataDirectory = await show(client, 'data_directory', 'Connect as a superuser, or as a member of pg_read_all_settings.');
    const owner = await ownerOf(client, dataDirectory);
    await checkArchiving(client);
    return database(dsn, client, { dataDirectory, owner, version: await serverVersion(client), bin: await binDirectory(client) });
  } catch (error) {
    await client.end();
    throw error;
  }
}

function database(dsn: string, client: Client, facts: Pick<GivenDatabase, 'dataDirectory' | 'owner' | 'version' | 'bin'>): GivenDatabase {
  return {
    ...facts,
    node: dsn,
    login: { ...(client.user && { user: client.user }), ...(client.database && { database: client.database }) },
    address: `psql '${dsn.replace(/:[^:@/]*@/, ':***@')}'`,
    query: async (sql, parameters = []) => (await client.query(sql, [...parameters])).rows,
    archiveWith: (command) => setArchiveCommand(client, command),
    leave: async () => {
      await client.query('ALTER SYSTEM RESET archive_command');
      await client.query('SELECT pg_reload_conf()');
      await client.query('DROP SCHEMA IF EXISTS pghoard_demo CASCADE');
      await client.end();
    },
  };
}

/** The files must be those of the server we speak to, and ours to read. */
async function ownerOf(client: Client, dataDirectory: string): Promise<SystemUser> {
  const hint = 'Start the demo on the machine of the database, as root or as the user PostgreSQL runs as.';
  const [row] = (await client.query<{ id: string }>('SELECT system_identifier::text AS id FROM pg_control_system()')).rows;
  const control = await readControlFile(dataDirectory).catch((error: unknown) => {
    throw refusal(`cannot read the data directory ${dataDirectory}`, hint, error);
  });
  if (control.systemIdentifier !== BigInt(row?.id ?? 0)) throw refusal(`${dataDirectory} on this machine belongs to another cluster`, hint);
  const { uid, gid } = await stat(dataDirectory);
  return { uid, gid };
}

async function checkArchiving(client: Client): Promise<void> {
  if ((await show(client, 'archive_mode')) === 'off') {
    throw refusal(
      'archive_mode is off, so this PostgreSQL cannot archive WAL, and it can only be turned on by a restart',
      'Run "ALTER SYSTEM SET archive_mode = on;" (and, if wal_level is minimal, "ALTER SYSTEM SET wal_level = replica;"), restart PostgreSQL, and start the demo again.',
    );
  }
  const command = await show(client, 'archive_command');
  const free = ['', '(disabled)', 'true', '/bin/true', ':'].includes(command) || /pghoard_postgres_command.* --site demo /.test(command);
  if (!free || (await show(client, 'archive_library').catch(() => '')) !== '') {
    throw refusal(
      `this PostgreSQL archives its WAL already (${command}), and the demo would take its place`,
      'Use a test server. To back this one up for good, see docs/guide.md.',
    );
  }
}

/** Where the server's programs are, for the restored cluster must run on the same ones. */
async function binDirectory(client: Client): Promise<string> {
  const { rows } = await client.query<{ setting: string }>(`SELECT setting FROM pg_config WHERE name = 'BINDIR'`);
  return rows[0]?.setting ?? '';
}

async function show(client: Client, setting: string, hint = 'Connect as a superuser.'): Promise<string> {
  try {
    const { rows } = await client.query<Record<string, string>>(`SHOW ${setting}`);
    return rows[0]?.[setting] ?? '';
  } catch (error) {
    throw refusal(`may not see the setting ${setting}`, hint, error);
  }
}

function refusal(message: string, hint: string, cause?: unknown): OperatorError {
  return new OperatorError('demo-database-unfit', message, { hint, cause });
}
