import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, sep } from 'node:path';
import { OperatorError, systemErrorCode } from '../../lib/errors.ts';
import { classifyWalFile } from '../../postgres/wal-name.ts';

const pathCharactersMax = 4096;

/**
 * Where a Python client wants its file: a path on this host, from the header `x-pghoard-target-path`. It must lie directly in the site's
 * WAL directory. Both are compared as they really are, so that a `pg_wal` that is a link works and a link that leads out of it does not.
 * Returns the real path to write to. Throws `target-path-invalid` or `target-directory-missing`.
 */
export async function confineTargetPath(target: string, name: string, walDirectory: string | undefined): Promise<string> {
  const refuse = (why: string) =>
    new OperatorError('target-path-invalid', `x-pghoard-target-path ${JSON.stringify(target.slice(0, 300))} ${why}`);
  if (target.length > pathCharactersMax || target.includes('\0')) throw refuse('is no path');
  if (!isAbsolute(target)) throw refuse('is not absolute');
  if (target !== normalize(target)) throw refuse('is not in its plainest form');
  const file = basename(target);
  if (file === '' || target.endsWith(sep)) throw refuse('names no file');
  if (isOtherWalFile(file, name)) throw refuse(`would put ${name} in the place of another WAL file`);
  if (walDirectory === undefined) throw refuse('cannot be used: the site has no data directory on this host');
  const directory = await realDirectory(target, walDirectory, refuse);
  const path = join(directory, file);
  if (!(await isReplaceable(path))) throw refuse('cannot be a file, or is there already and not a regular one');
  return path;
}

/** PostgreSQL asks for `RECOVERYXLOG`, pg_rewind for the segment's own name. */
function isOtherWalFile(file: string, name: string): boolean {
  return file !== name && classifyWalFile(file) !== undefined;
}

async function realDirectory(target: string, walDirectory: string, refuse: (why: string) => OperatorError): Promise<string> {
  const allowed = await realpath(walDirectory);
  try {
    const directory = await realpath(dirname(target));
    if (directory === allowed) return directory;
  } catch (error) {
    const isBelow = dirname(target).startsWith(`${walDirectory}${sep}`) || dirname(target).startsWith(`${allowed}${sep}`);
    if (!isBelow || systemErrorCode(error) !== 'ENOENT') throw refuse('is not in the WAL directory of the site');
    throw new OperatorError('target-directory-missing', `there is no directory ${dirname(target)}`, { cause: error });
  }
  throw refuse('is not in the WAL directory of the site');
}

async function isReplaceable(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile();
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    return code === 'ENOENT';
  }
}
