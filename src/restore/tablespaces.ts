import { resolve } from 'node:path';
import type { BackupTablespace } from '../catalog/backup-tablespaces.ts';
import { OperatorError } from '../lib/errors.ts';
import type { RestoreTablespace } from './layout.ts';

export interface TablespaceWishes {
  /** Directory by tablespace name, or by OID. */
  readonly directories: ReadonlyMap<string, string>;
  /** Where tablespaces go whose original directory does not exist: `<base>/<oid>`. */
  readonly baseDirectory?: string | undefined;
  /** Where all of them go, whatever there is at the source: `<allBelow>/<oid>`. */
  readonly allBelow?: string | undefined;
}

/** What pg_basebackup's tar says of tablespaces comes too late to plan with: those mapped by OID are taken to be in it. */
export function tablespacesMappedByOid(wishes: TablespaceWishes): BackupTablespace[] {
  return [...wishes.directories.keys()].filter((name) => /^\d+$/.test(name)).map((name) => ({ name, oid: Number(name), path: '' }));
}

/** Decides where each tablespace goes. `exists` tells whether there is a directory already. Throws for mappings that fit no tablespace. */
export async function placeTablespaces(
  tablespaces: readonly BackupTablespace[],
  wishes: TablespaceWishes,
  exists: (path: string) => Promise<boolean>,
): Promise<RestoreTablespace[]> {
  refuseUnused(tablespaces, wishes);
  const placed: RestoreTablespace[] = [];
  for (const tablespace of tablespaces) {
    const directory = await directoryFor(tablespace, wishes, exists);
    placed.push({ name: tablespace.name, oid: tablespace.oid, directory });
  }
  return placed;
}

async function directoryFor(
  { name, oid, path }: BackupTablespace,
  { directories, baseDirectory, allBelow }: TablespaceWishes,
  exists: (path: string) => Promise<boolean>,
): Promise<string> {
  if (allBelow !== undefined) return resolve(allBelow, String(oid));
  const mapped = directories.get(name) ?? directories.get(String(oid));
  const wanted = mapped ?? path;
  if (wanted === '' || (mapped === undefined && !path.startsWith('/'))) throw noPath(name);
  if (baseDirectory === undefined || (await exists(wanted))) return resolve(wanted);
  return resolve(baseDirectory, String(oid));
}

function refuseUnused(tablespaces: readonly BackupTablespace[], { directories }: TablespaceWishes): void {
  const known = new Set(tablespaces.flatMap(({ name, oid }) => [name, String(oid)]));
  const unused = [...directories.keys()].filter((name) => !known.has(name));
  if (unused.length === 0) return;
  const present = tablespaces.map(({ name }) => `'${name}'`).join(', ');
  throw new OperatorError(
    'tablespace-unknown',
    `a directory was given for ${unused.map((name) => `'${name}'`).join(', ')}, but the base backup has no such tablespace`,
    { hint: present === '' ? 'It has no tablespaces that can be mapped.' : `It has ${present}.` },
  );
}

function noPath(name: string): OperatorError {
  return new OperatorError('tablespace-unmapped', `the base backup does not say where the tablespace '${name}' lay`, {
    hint: `Say where it shall go: --tablespace-dir ${name}=DIRECTORY.`,
  });
}
