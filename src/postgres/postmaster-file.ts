import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';

/** What tells one running server from another. */
export interface Postmaster {
  readonly port: number;
  /** Seconds since 1970. */
  readonly startedSeconds: number;
}

/** The server writes its start time into postmaster.pid a little before the one it tells over SQL. */
const startTimeDifferenceSecondsMax = 120;

/** Whose data directory this is, as postmaster.pid says: pid, data directory, start time, port, … one per line (miscadmin.h, LOCK_FILE_LINE_*). */
export async function readPostmasterFile(dataDirectory: string): Promise<Postmaster | undefined> {
  try {
    const [, , started = '', port = ''] = (await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8')).split('\n');
    return { port: Number(port), startedSeconds: Number(started) };
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw new OperatorError('file-unreadable', `cannot read ${join(dataDirectory, 'postmaster.pid')}`, {
      cause: error,
      hint: 'pghoard must run as the user that owns the data directory (usually postgres) to take local-tar backups.',
    });
  }
}

/** Why the server that says this of itself is not the one of the file; undefined where nothing tells that. */
export function otherPostmaster(server: Postmaster, file: Postmaster): string | undefined {
  if (file.port !== server.port) return `the server listens on port ${server.port}, its owner on ${file.port}`;
  if (Math.abs(server.startedSeconds - file.startedSeconds) <= startTimeDifferenceSecondsMax) return undefined;
  return 'the server was started at another time than the one running on that directory';
}
