import { OperatorError } from '../lib/errors.ts';
import { sourcesOfOneCluster, type WalSource } from './stored-wal.ts';

/**
 * A disk that is not mounted looks like a store in which everything is missing. PostgreSQL would take that for the end of the archive, so a
 * site of which there is nothing at all is no witness.
 */
export async function notFound(name: string, sources: readonly WalSource[], signal: AbortSignal | undefined): Promise<OperatorError> {
  const asked: WalSource[] = [];
  for await (const source of sourcesOfOneCluster(sources, signal)) asked.push(source);
  for (const { catalog } of asked) if (!(await catalog.isEmpty(signal))) return missing(name, asked);
  const places = asked.map(({ catalog }) => `'${catalog.keys.sitePrefix}' in ${catalog.store.name}`);
  return new OperatorError(
    'store-empty',
    `cannot tell whether WAL ${name} was archived: nothing at all is stored under ${places.join(' or ')}`,
    {
      hint: 'Is the disk of the store mounted, and do object_storage and prefix of the site say where its backups are?',
      retryable: true,
    },
  );
}

/**
 * Resolves where the archive ends before the segment. Rejects with `wal-hole` where it goes on behind it: PostgreSQL, told that there is no such file, would
 * take that for the end, and come up without what was written later. Segments may be stored out of order, so it may pass.
 */
export async function assertNoHole(name: string, sources: readonly WalSource[], signal: AbortSignal | undefined): Promise<undefined> {
  for await (const { catalog } of sourcesOfOneCluster(sources, signal)) {
    const endOfTimeline = `${name.slice(0, 8)}${'F'.repeat(16)}`;
    for await (const later of catalog.walFiles('segment', { from: name, to: endOfTimeline, signal })) {
      if (later.name !== name) throw hole(name, later.name);
    }
  }
}

function hole(name: string, later: string): OperatorError {
  return new OperatorError('wal-hole', `WAL ${name} is not stored, but ${later} behind it is: this is no end but a hole in the archive`, {
    hint: 'Bring the segment back: pg_wal of the server or of a standby may still have it, see pghoard_archive_sync. Else restore to a moment before it (with recovery_prefetch = off, as PostgreSQL 15 and later read ahead), or from a base backup behind it.',
    retryable: true,
  });
}

function missing(name: string, sources: readonly WalSource[]): OperatorError {
  const places = sources.map(({ catalog }) => `${catalog.walKey(name)} in ${catalog.store.name}`);
  return new OperatorError('wal-missing', `WAL ${name} is not stored: there is no ${places.join(', and no ')}`);
}
