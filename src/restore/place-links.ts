import { lstatSync, mkdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { tarUnsafe } from '../catalog/member-place.ts';
import { systemErrorCode } from '../lib/errors.ts';
import type { Layout } from './layout.ts';
import type { PendingLink } from './unpacker.ts';
import { writing } from './write-error.ts';

/**
 * Makes the symlinks of a backup, once every file is in place. Where a directory or file of the same name was in the backup too, that stays:
 * backups of linked directories hold both the link and what it led to. Returns the links made.
 */
export function placeLinks(links: readonly PendingLink[]): PendingLink[] {
  // All parents before the first link, so that none of them is one.
  for (const link of links) ensureRealParents(link);
  return links.filter((link) => placeLink(join(link.root, link.relative), link.target));
}

/** Links every tablespace of the layout into `pg_tblspc`. */
export function placeTablespaceLinks({ dataDirectory, tablespaces }: Layout): void {
  if (tablespaces.length === 0) return;
  ensureRealParents({ root: dataDirectory, relative: join('pg_tblspc', 'x') });
  for (const { oid, directory, name } of tablespaces) {
    const path = join(dataDirectory, 'pg_tblspc', String(oid));
    if (!placeLink(path, directory)) throw tarUnsafe(`pg_tblspc/${oid}`, `it stands where the link of the tablespace '${name}' must be`);
  }
}

/** False where the name was taken by something else than this link, which a restore that was stopped may have made. */
function placeLink(path: string, target: string): boolean {
  return writing(path, () => {
    try {
      symlinkSync(target, path);
      return true;
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') return lstatSync(path).isSymbolicLink() && readlinkSync(path) === target;
      throw error;
    }
  });
}

function ensureRealParents({ root, relative: path }: Pick<PendingLink, 'root' | 'relative'>): void {
  let parent = root;
  for (const part of relative(root, dirname(join(root, path))).split(sep)) {
    parent = join(parent, part);
    const there = lstatSync(parent, { throwIfNoEntry: false });
    if (there === undefined) writing(parent, () => mkdirSync(parent, 0o700));
    else if (!there.isDirectory()) throw tarUnsafe(path, 'it lies below something that is not a directory');
  }
}
