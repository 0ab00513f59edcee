import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalog } from '../../catalog/catalog.ts';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import { isOperatorError, messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { PgConnection } from '../../postgres/client.ts';
import { readTimelineHistoryFile } from '../../postgres/replication.ts';

export interface KeepHistoriesDeps {
  readonly site: string;
  readonly directory: string;
  readonly catalog: Catalog;
  readonly log: Log;
}

/**
 * Fetches the histories of these timelines that are neither stored nor received yet, byte for byte. They are durable in the receiving directory, from
 * where they are archived, before WAL of the timelines comes. A server need not have those of its ancestors; that of its own timeline (the last) must come.
 */
export async function keepHistories(
  connection: PgConnection,
  timelines: readonly number[],
  { site, directory, catalog, log }: KeepHistoriesDeps,
  signal: AbortSignal,
): Promise<void> {
  for (const timeline of timelines.filter((each) => each > 1)) {
    const name = `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
    if ((await isThere(join(directory, name))) || (await isStored(catalog, name, signal))) continue;
    try {
      const history = await readTimelineHistoryFile(connection, timeline);
      if (history === undefined) continue;
      await writeFileAtomic(join(directory, name), history.content);
      log.info({ site, name }, 'received the history of a timeline');
    } catch (error) {
      if (timeline === timelines.at(-1) || !isOperatorError(error, 'postgres-error')) throw error;
      log.warn({ site, name, error: messageOf(error) }, 'the server does not have the history of an ancestor of its timeline');
    }
  }
}

/** One that is fetched although it is stored is recognised as the same. */
async function isStored(catalog: Catalog, name: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await catalog.findWal(name, signal)) !== undefined;
  } catch (error) {
    if (signal.aborted || !isOperatorError(error)) throw error;
    return false;
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
