import { isOperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { linkBytesMax } from '../../postgres/base-backup-command.ts';
import { connect } from '../../postgres/client.ts';
import type { ConnInfo } from '../../postgres/conninfo.ts';

const answerMsMax = 10_000;

/** What a server tells by SQL only, and a base backup can do without. */
export interface ClusterNames {
  /** By OID. */
  readonly tablespaces: ReadonlyMap<number, string>;
  readonly dataDirectory: string | undefined;
  /** A tablespace lies where no link in an archive can lead to. */
  readonly hasLongLocation: boolean;
}

/** A role that may replicate need not be let in for SQL: then tablespaces are known by their OIDs. */
export async function askForNames(node: ConnInfo, log: Log, signal: AbortSignal): Promise<ClusterNames> {
  try {
    await using connection = await connect(node, { applicationName: 'pghoard', answerMsMax, signal });
    const rows = await connection.query<{ oid: string; name: string; location: string }>(
      'SELECT oid::text AS oid, spcname AS name, pg_catalog.pg_tablespace_location(oid) AS location FROM pg_catalog.pg_tablespace',
    );
    const [setting] = await connection.query<{ path: string }>(
      `SELECT setting AS path FROM pg_catalog.pg_settings WHERE name = 'data_directory'`,
    );
    return {
      tablespaces: new Map(rows.map(({ oid, name }) => [Number(oid), name])),
      dataDirectory: setting?.path,
      hasLongLocation: rows.some(({ location }) => Buffer.byteLength(location) > linkBytesMax),
    };
  } catch (error) {
    signal.throwIfAborted();
    if (!isOperatorError(error)) throw error;
    log.debug({ because: error.message }, 'the server is not asked for the names of tablespaces');
    return { tablespaces: new Map(), dataDirectory: undefined, hasLongLocation: false };
  }
}
