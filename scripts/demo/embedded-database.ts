import { join } from 'node:path';
import { OperatorError } from '../../src/lib/errors.ts';
import { runProgram } from '../../src/lib/subprocess.ts';
import { postgresBin } from '../../test/support/postgres-binaries.ts';
import { connect, type Database, serverVersion, setArchiveCommand } from './database.ts';
import { makePrivate, type Place } from './place.ts';
import type { Processes } from './processes.ts';
import { socketPort, startServer } from './server.ts';

/** A new cluster on the PostgreSQL that npm brought. Nothing has to be installed for it. */
export async function startEmbedded(place: Place, processes: Processes): Promise<Database> {
  const home = await makePrivate(place, 'database');
  const dataDirectory = join(home, 'data');
  const bin = await postgresBin('embedded', place.directory);
  await initCluster(bin, dataDirectory, place);
  await startServer(
    {
      name: 'PostgreSQL',
      bin,
      dataDirectory,
      socketDirectory: home,
      logFile: join(place.directory, 'postgres.log'),
      settings: { wal_level: 'replica', archive_mode: 'on', shared_buffers: '64MB' },
    },
    place,
    processes,
  );
  const login = { user: 'postgres', database: 'postgres' };
  const client = await connect({ ...login, host: home, port: socketPort });
  return {
    version: await serverVersion(client),
    dataDirectory,
    bin,
    login,
    node: { host: home, port: socketPort, user: login.user, dbname: login.database },
    address: `psql -h ${home} -U postgres`,
    query: async (sql, parameters = []) => (await client.query(sql, [...parameters])).rows,
    archiveWith: (command) => setArchiveCommand(client, command),
    leave: () => client.end(),
  };
}

async function initCluster(bin: string, dataDirectory: string, { user }: Place): Promise<void> {
  const flags = ['--username=postgres', '--auth-local=trust', '--auth-host=reject', '--encoding=UTF8', '--no-locale', '--no-sync'];
  const { code, stderr } = await runProgram(join(bin, 'initdb'), ['-D', dataDirectory, ...flags], { ...user, cwd: '/' });
  if (code !== 0) throw new OperatorError('demo-failed', `initdb failed: ${stderr}`);
}
