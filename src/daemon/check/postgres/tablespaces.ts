import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { messageOf, systemErrorCode } from '../../../lib/errors.ts';
import { about, type Finding, failure, ok } from '../finding.ts';
import type { Needs } from './needs.ts';
import type { ServerFacts } from './server-facts.ts';

/** Tablespaces lie outside of the data directory, perhaps where nobody thought of. */
export async function checkTablespaces(tablespaces: ServerFacts['tablespaces'], needs: Needs): Promise<Finding[]> {
  if (tablespaces === undefined || tablespaces.length === 0) return [];
  if (needs.pgBasebackup) return [judgeForPgBasebackup(tablespaces.map(({ name }) => name))];
  if (!needs.backupBySql) return [];
  return Promise.all(
    tablespaces.map(async ({ name, location }) => {
      const why = await access(location, constants.R_OK | constants.X_OK).then(
        () => undefined,
        (error: unknown) => systemErrorCode(error) ?? messageOf(error),
      );
      if (why === undefined) return about(name, ok('tablespace', `${location} can be read`));
      return about(
        name,
        failure('tablespace', `${location} cannot be read (${why})`, 'run pghoard as the user that owns it, on the host of the server'),
      );
    }),
  );
}

/** One tar is all that these modes make. */
function judgeForPgBasebackup(names: readonly string[]): Finding {
  const text = `the cluster has tablespaces (${names.join(', ')}), which the base backup modes basic and pipe do not take`;
  return failure('tablespace', text, '"basebackup_mode": "stream" or "local-tar"');
}
