import { lstat, readlink, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { OperatorError } from '../lib/errors.ts';
import type { PgConnection } from '../postgres/client.ts';
import { connectToFirst } from '../postgres/connect-to-first.ts';
import type { ConnInfo } from '../postgres/conninfo.ts';
import { readControlFile } from '../postgres/control-file.ts';
import { otherPostmaster, readPostmasterFile } from '../postgres/postmaster-file.ts';
import type { Tablespace } from './walk.ts';

interface ServerIdentity {
  readonly system_identifier: string;
  readonly port: string;
  readonly started: string;
}

/** Connects to the first node that answers and whose server runs on `dataDirectory`. */
export async function connectToCluster(nodes: readonly ConnInfo[], dataDirectory: string, signal: AbortSignal): Promise<PgConnection> {
  return connectToFirst(nodes, { signal }, (connection) => checkIsServerOf(connection, dataDirectory));
}

async function checkIsServerOf(connection: PgConnection, dataDirectory: string): Promise<void> {
  const [server] = await connection.query<ServerIdentity>(
    `SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system())::text AS system_identifier,
            pg_catalog.current_setting('port') AS port,
            extract(epoch FROM pg_catalog.pg_postmaster_start_time())::bigint::text AS started`,
  );
  const control = await readControlFile(dataDirectory);
  if (server === undefined || BigInt(server.system_identifier) !== control.systemIdentifier) {
    throw otherServer(
      dataDirectory,
      `the server's system identifier is ${server?.system_identifier}, the directory's ${control.systemIdentifier}`,
    );
  }
  const postmaster = await readPostmasterFile(dataDirectory);
  if (postmaster === undefined) throw otherServer(dataDirectory, 'no server runs on that directory: it has no postmaster.pid');
  const difference = otherPostmaster({ port: Number(server.port), startedSeconds: Number(server.started) }, postmaster);
  if (difference !== undefined) throw otherServer(dataDirectory, difference);
}

function otherServer(dataDirectory: string, why: string): OperatorError {
  return new OperatorError('data-directory-mismatch', `the server of this node does not run on ${dataDirectory}: ${why}`, {
    hint: 'local-tar reads the files beneath the server. Set pg_data_directory and "nodes" to the same server, or use the mode "stream".',
  });
}

/**
 * User tablespaces outside PGDATA. A tablespace in place (a plain directory in pg_tblspc) is none: it lies in PGDATA like any other file.
 * Throws where one cannot be read or restored, before anything was started.
 */
export async function findTablespaces(connection: PgConnection, dataDirectory: string): Promise<Tablespace[]> {
  const rows = await connection.query<{ oid: string; spcname: string }>(
    "SELECT oid::text AS oid, spcname FROM pg_catalog.pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY oid",
  );
  const found: Tablespace[] = [];
  for (const { oid, spcname: name } of rows) {
    checkTablespaceName(name);
    const link = join(dataDirectory, 'pg_tblspc', oid);
    try {
      if ((await lstat(link)).isDirectory()) continue;
      const path = resolve(dataDirectory, 'pg_tblspc', await readlink(link));
      if (!(await stat(path)).isDirectory()) throw new Error(`${path} is not a directory`);
      found.push({ name, oid: Number(oid), path });
    } catch (error) {
      throw new OperatorError('tablespace-unreadable', `cannot read tablespace "${name}" through ${link}`, {
        cause: error,
        hint: 'Is its disk mounted? Without it the backup would be incomplete.',
      });
    }
  }
  return found;
}

/** The name becomes a directory of the archive. */
export function checkTablespaceName(name: string): void {
  if (!name.includes('/') && name !== '.' && name !== '..') return;
  throw new OperatorError('tablespace-unsupported', `the tablespace ${JSON.stringify(name)} cannot be stored under its name`, {
    hint: 'Rename it (ALTER TABLESPACE … RENAME TO …) so that it has no slash in it.',
  });
}

/** Bytes of all databases that the role may look at; absent where the server does not tell. Only an estimate. */
export async function estimateBytes(connection: PgConnection): Promise<number | undefined> {
  const sql = `SELECT sum(pg_catalog.pg_database_size(oid))::text AS bytes FROM pg_catalog.pg_database
               WHERE pg_catalog.has_database_privilege(oid, 'CONNECT')`;
  // A database dropped just now makes it fail: then there is no estimate.
  const rows = await connection.query<{ bytes: string | null }>(sql).catch(() => []);
  const bytes = rows[0]?.bytes;
  return bytes === undefined || bytes === null ? undefined : Number(bytes);
}
