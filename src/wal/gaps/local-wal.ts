import { access, opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Reached } from '../../catalog/wal-archive-view.ts';
import { isOperatorError, systemErrorCode } from '../../lib/errors.ts';
import { readControlFile } from '../../postgres/control-file.ts';
import { classifyWalFile, nextWalName, startLsnOf } from '../../postgres/wal-name.ts';
import { findWalDirectory } from '../wal-directory.ts';
import { isWanted, type WantedWal } from './wanted.ts';

/** A file of a server's WAL directory that the server has finished. */
export interface LocalWal {
  readonly name: string;
  readonly path: string;
}

const foundMax = 1000;

/**
 * What a data directory on this host still has of what is missing, oldest first; `foundMax` at most, so ask again. A segment counts as finished where the server says
 * so (`archive_status`), or by the latest checkpoint: the file of a standby that lags may have the right header and only a part of the WAL.
 */
export async function findLocalWal(dataDirectory: string, wanted: WantedWal): Promise<readonly LocalWal[]> {
  const walDirectory = await findWalDirectory(dataDirectory);
  if (walDirectory === undefined) return [];
  const control = await readControlFile(dataDirectory).catch(ignoreOperatorError);
  const found: LocalWal[] = [];
  for await (const { name } of await opendir(walDirectory)) {
    if (!isWanted(name, wanted)) continue;
    const isBeforeCheckpoint = () =>
      control !== undefined && startLsnOf(name, control.segmentBytes) + BigInt(control.segmentBytes) <= control.checkpointLsn;
    const isFinished = classifyWalFile(name) === 'history' || (await hasStatus(walDirectory, name)) || isBeforeCheckpoint();
    if (isFinished) found.push({ name, path: join(walDirectory, name) });
    if (found.length >= foundMax) break;
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The segment behind the last one that a primary on this host believes to have archived, and since when; undefined where there is none, or where its mark
 * goes at this very moment: a checkpoint removes marks with their segments.
 */
export async function archivedUpTo(
  dataDirectory: string,
): Promise<{ readonly next: string; readonly since: Reached['since'] } | undefined> {
  const control = await readControlFile(dataDirectory).catch(ignoreOperatorError);
  const walDirectory = await findWalDirectory(dataDirectory);
  // What a standby marks as done was archived by somebody else, or is going to be.
  if (walDirectory === undefined || control?.state !== 'in production') return undefined;
  const directory = join(walDirectory, 'archive_status');
  let last = '';
  for await (const { name } of await opendir(directory)) {
    const segment = name.endsWith('.done') ? name.slice(0, -'.done'.length) : '';
    if (classifyWalFile(segment) === 'segment' && segment > last) last = segment;
  }
  if (last === '') return undefined;
  const mark = await stat(join(directory, `${last}.done`)).catch(ignoreMissing);
  return mark && { next: nextWalName(last, control.segmentBytes), since: mark.mtime };
}

async function hasStatus(walDirectory: string, name: string): Promise<boolean> {
  for (const status of ['done', 'ready']) {
    try {
      await access(join(walDirectory, 'archive_status', `${name}.${status}`));
      return true;
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
    }
  }
  return false;
}

function ignoreMissing(error: unknown): undefined {
  if (systemErrorCode(error) !== 'ENOENT') throw error;
  return undefined;
}

function ignoreOperatorError(error: unknown): undefined {
  if (!isOperatorError(error)) throw error;
  return undefined;
}
