import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { checkDirectory, checkDisjoint, type TargetDirectory } from './check-directories.ts';
import type { ContentWishes } from './judge-contents.ts';
import { type Layout, setAside } from './layout.ts';
import { markerIn } from './prepare-directories.ts';
import type { TablespaceWishes } from './tablespaces.ts';

export interface TargetWishes extends Pick<ContentWishes, 'overwrite' | 'reuse'> {
  readonly tablespaces: TablespaceWishes;
}

/** All directories of a layout, the data directory first, and what is to be done about each. Touches nothing; rejects where one cannot be used. */
export async function checkTargets({ dataDirectory, tablespaces }: Layout, wishes: TargetWishes): Promise<TargetDirectory[]> {
  const uid = process.getuid?.();
  const { overwrite, reuse } = wishes;
  const data = await checkDirectory(dataDirectory, 'data directory', { overwrite, reuse, mayBeAbsent: true, uid });
  const directories = [data];
  const { baseDirectory } = wishes.tablespaces;
  // A base directory with a slip of the pen is not made.
  const mayBeMade = baseDirectory !== undefined && (overwrite || reuse || data.state === 'unfinished' || existsSync(baseDirectory));
  for (const { name, oid, directory } of tablespaces) {
    const mayBeAbsent = mayBeMade && directory === join(baseDirectory, String(oid));
    const belongsTo = await ownerOf(directory, oid, data);
    directories.push(await checkDirectory(directory, `tablespace '${name}'`, { overwrite, reuse, belongsTo, mayBeAbsent, uid }));
  }
  checkDisjoint(directories);
  return directories;
}

async function ownerOf(directory: string, oid: number, data: TargetDirectory): Promise<ContentWishes['belongsTo']> {
  if (data.state === 'unfinished') {
    const marker = await markerIn(directory);
    if (marker !== undefined && marker === (await markerIn(data.path))) return 'unfinished restore';
  }
  const links = [join(data.path, 'pg_tblspc', String(oid)), join(data.path, setAside, 'pg_tblspc', String(oid))];
  const there = await realpath(directory).catch(() => undefined);
  for (const link of links) if (there !== undefined && (await realpath(link).catch(() => undefined)) === there) return 'data directory';
  return undefined;
}
