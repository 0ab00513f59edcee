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

function missing(name: string, sources: readonly WalSource[]): OperatorError {
  const places = sources.map(({ catalog }) => `${catalog.walKey(name)} in ${catalog.store.name}`);
  return new OperatorError('wal-missing', `WAL ${name} is not stored: there is no ${places.join(', and no ')}`);
}
