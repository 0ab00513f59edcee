import { Client, type ClientConfig } from 'pg';

export type Row = Record<string, unknown>;

/** The PostgreSQL that is backed up. */
export interface Database {
  /** `PostgreSQL 18.4` */
  readonly version: string;
  readonly dataDirectory: string;
  /** Where its server programs are; a restored copy is started with them. */
  readonly bin: string;
  /** What the daemon's configuration gets under `nodes`. */
  readonly node: string | Readonly<Record<string, string | number>>;
  /** How to connect, also to a restored copy of it. */
  readonly login: { readonly user?: string; readonly database?: string };
  /** For the operator: how to look into it. */
  readonly address: string;
  readonly query: (sql: string, parameters?: readonly unknown[]) => Promise<Row[]>;
  /** Makes it archive its WAL with this command, from now on. */
  readonly archiveWith: (command: string) => Promise<void>;
  /** Undoes what the demo changed in a database that is not its own, and disconnects. */
  readonly leave: () => Promise<void>;
}

/** A connection whose text form of times does not depend on the server's settings. */
export async function connect(config: ClientConfig): Promise<Client> {
  const client = new Client({ application_name: 'pghoard demo', ...config });
  client.on('error', () => {}); // the next query says so
  await client.connect();
  await client.query(`SET timezone = 'UTC'`);
  return client;
}

export async function serverVersion(client: Client): Promise<string> {
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  return `PostgreSQL ${rows[0]?.server_version.split(' ')[0]}`;
}

/** Takes effect without a restart. */
export async function setArchiveCommand(client: Client, command: string): Promise<void> {
  await client.query(`ALTER SYSTEM SET archive_command = ${client.escapeLiteral(command)}`);
  await client.query('SELECT pg_reload_conf()');
}
