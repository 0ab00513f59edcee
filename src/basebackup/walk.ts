import { opendir, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { runHere } from '../codec/pool.ts';
import { systemErrorCode } from '../lib/errors.ts';
import type { TarMember } from '../tar/header.ts';
import {
  emptiedDirectories,
  isClusterData,
  isLeftOutOfData,
  isLeftOutOfTablespace,
  isRelationDirectory,
  isResetAtStart,
  isTemporaryRelation,
  unloggedRelationOf,
} from './exclusions.ts';
import { isOrdinaryChange, type LookAtNames, lookAtNames, type Seen, seenIn, unreadable } from './look-at-names.job.ts';

/** Names looked at together; directories up to this size come out in order. */
const batchNamesMax = 2048;
/** Of a directory, at a time. */
const namesReadMax = 256;

/** Something to archive. `size` is what the walk saw; whoever reads the file looks again. */
export interface FoundEntry extends TarMember {
  readonly type: 'file' | 'directory' | 'symlink';
  /** Absolute path to read from, without links in its last part. */
  readonly source: string;
}

/** A tablespace outside PGDATA. */
export interface Tablespace {
  readonly name: string;
  readonly oid: number;
  /** Absolute. */
  readonly path: string;
}

export interface WalkOptions {
  /** Major version of the cluster, as in `PG_15_202209061`. */
  readonly major: string;
  readonly tablespaces: readonly Tablespace[];
  /** Told of everything that was there but could not be taken. */
  readonly onSkipped: (path: string, why: string) => void;
  /** Otherwise the calling thread does it, synchronously. */
  readonly look?: LookAtNames;
}

interface Place {
  /** Real path of the top. */
  readonly top: string;
  readonly archiveTop: string;
  readonly leftOut: (path: string) => boolean;
  readonly isData: (path: string) => boolean;
  readonly onSkipped: WalkOptions['onSkipped'];
  readonly look: LookAtNames;
}

const lookHere: LookAtNames = async (input) => seenIn(await runHere(lookAtNames, input));

/**
 * Everything of a cluster that goes into the chunks, found while it is consumed: PGDATA as `pgdata/…`, then each tablespace as
 * `tablespaces/<name>/…`. Directories come before what is in them. Nothing is held beyond one batch of names per level.
 */
export async function* walkCluster(dataDirectory: string, options: WalkOptions): AsyncGenerator<FoundEntry> {
  const top = await realpath(dataDirectory).catch((error: unknown) => Promise.reject(unreadable(dataDirectory, error)));
  const inside = new Set<string>();
  for (const tablespace of options.tablespaces) inside.add(await realpathOr(tablespace.path));
  yield* walk(
    {
      top,
      archiveTop: 'pgdata',
      leftOut: (path) => isLeftOutOfData(path) || inside.has(join(top, path)),
      isData: isClusterData,
      onSkipped: options.onSkipped,
      look: options.look ?? lookHere,
    },
    '',
    false,
  );
  for (const tablespace of options.tablespaces) yield* walkTablespace(tablespace, options);
}

async function* walkTablespace(tablespace: Tablespace, options: WalkOptions): AsyncGenerator<FoundEntry> {
  const top = await realpathOr(tablespace.path);
  const archiveTop = `tablespaces/${tablespace.name}`;
  const look = options.look ?? lookHere;
  const stats = await lookAtOne(look, top);
  if (!stats) return options.onSkipped(archiveTop, 'it vanished');
  yield entryOf(archiveTop, top, 'directory', stats);
  const leftOut = (path: string) => isLeftOutOfTablespace(path, options.major);
  yield* walk({ top, archiveTop, leftOut, isData: () => true, onSkipped: options.onSkipped, look }, '', false);
}

/** The directories that are kept without their contents, as they are in `dataDirectory`. */
export async function findEmptiedDirectories(dataDirectory: string): Promise<TarMember[]> {
  const found: TarMember[] = [];
  for (const path of emptiedDirectories) {
    try {
      // A link (pg_wal on a disk of its own) becomes a plain directory: where it points to is the restored host's affair.
      const stats = await stat(join(dataDirectory, path));
      if (stats.isDirectory()) found.push(entryOf(`pgdata/${path}`, join(dataDirectory, path), 'directory', stats));
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw unreadable(join(dataDirectory, path), error);
    }
  }
  return found;
}

/** `followed`: below a link that was read through; further links there are kept as links, so that no circle can arise. */
async function* walk(place: Place, directory: string, followed: boolean, source = join(place.top, directory)): AsyncGenerator<FoundEntry> {
  const relations = isRelationDirectory(directory);
  const unlogged = relations ? await unloggedRelationsIn(source) : undefined;
  const wanted = (name: string) => {
    if (place.leftOut(directory === '' ? name : `${directory}/${name}`)) return false;
    return !(unlogged && (isTemporaryRelation(name) || isResetAtStart(name, unlogged)));
  };
  for await (const names of batchesOf(source, wanted, directory !== '')) {
    const found = await place.look({ directory: source, names });
    for (const [i, name] of names.entries()) {
      const seen = found[i];
      const path = `${source}/${name}`;
      if (seen) yield* visit(place, directory === '' ? name : `${directory}/${name}`, path, seen, followed);
      else place.onSkipped(path, 'it vanished');
    }
  }
}

async function* visit(place: Place, path: string, source: string, stats: Seen, followed: boolean): AsyncGenerator<FoundEntry> {
  const archivePath = `${place.archiveTop}/${path}`;
  if (archivePath.includes('\uFFFD')) return place.onSkipped(source, 'its name is not UTF-8');
  if (stats.type === 'file') yield entryOf(archivePath, source, 'file', stats);
  else if (stats.type === 'directory') {
    yield entryOf(archivePath, source, 'directory', stats);
    yield* walk(place, path, followed, source);
  } else if (stats.type === 'symlink') yield* visitLink(place, path, source, stats, followed);
  else place.onSkipped(source, 'it is neither a file, a directory nor a link');
}

async function* visitLink(place: Place, path: string, source: string, stats: Seen, followed: boolean): AsyncGenerator<FoundEntry> {
  // Tablespace links are made anew from the manifest.
  if (/^pg_tblspc\/[^/]+$/.test(path) && place.archiveTop === 'pgdata') return;
  const real = !followed && place.isData(path) ? await realpathOr(source) : source;
  const isElsewhere = real !== source && real !== place.top && !real.startsWith(`${place.top}/`);
  const seen = isElsewhere ? await lookAtOne(place.look, real) : undefined;
  if (seen) return yield* visit(place, path, real, seen, true);
  if (isElsewhere) place.onSkipped(real, 'it vanished');
  const linkTarget = await readlink(source).catch(() => undefined);
  if (linkTarget === undefined) return place.onSkipped(source, 'the link vanished');
  yield { ...entryOf(`${place.archiveTop}/${path}`, source, 'symlink', stats), linkTarget };
}

async function unloggedRelationsIn(directory: string): Promise<ReadonlySet<string>> {
  const unlogged = new Set<string>();
  for await (const names of batchesOf(directory, (name) => unloggedRelationOf(name) !== undefined, true)) {
    for (const name of names) unlogged.add(unloggedRelationOf(name) as string);
  }
  return unlogged;
}

/** Names in a directory that `wanted` accepts, batch by batch, each batch sorted. */
async function* batchesOf(directory: string, wanted: (name: string) => boolean, mayVanish: boolean): AsyncGenerator<string[]> {
  let batch: string[] = [];
  try {
    for await (const { name } of await opendir(directory, { bufferSize: namesReadMax })) {
      if (!wanted(name)) continue;
      batch.push(name);
      if (batch.length < batchNamesMax) continue;
      yield batch.toSorted();
      batch = [];
    }
  } catch (error) {
    if (!isOrdinaryChange(error) || !mayVanish) throw unreadable(directory, error);
  }
  if (batch.length > 0) yield batch.toSorted();
}

async function lookAtOne(look: LookAtNames, path: string): Promise<Seen | undefined> {
  const [seen] = await look({ directory: dirname(path), names: [basename(path)] });
  return seen;
}

async function realpathOr(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

function entryOf(path: string, source: string, type: FoundEntry['type'], stats: Omit<Seen, 'type'>): FoundEntry {
  const { uid, gid, mtimeMs } = stats;
  const size = type === 'file' ? stats.size : 0;
  return { path, source, type, size, mode: stats.mode & 0o7777, uid, gid, mtime: Math.floor(mtimeMs / 1000) };
}
