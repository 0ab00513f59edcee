import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalog } from '../../catalog/catalog.ts';
import { parseWalMetadata } from '../../catalog/wal-entry.ts';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import { isOperatorError, messageOf, OperatorError, systemErrorCode } from '../../lib/errors.ts';
import { nodeHashName } from '../../lib/hash-algorithms.ts';
import type { Log } from '../../lib/log.ts';
import type { PgConnection } from '../../postgres/client.ts';
import { readTimelineHistoryFile } from '../../postgres/replication.ts';
import { historyNameOf } from '../../postgres/wal-name.ts';

export interface KeepHistoriesDeps {
  readonly site: string;
  readonly directory: string;
  readonly catalog: Catalog;
  readonly log: Log;
}

/** A history that was stored or received before: whether it is this one. */
type KnownHistory = (content: Buffer) => boolean;

/**
 * Fetches the histories of these timelines that are neither stored nor received yet, byte for byte. They are durable in the receiving directory, from
 * where they are archived, before WAL of the timelines comes. A server need not have those of its ancestors; that of its own timeline (the last) must come.
 *
 * Throws `wal-conflict` where another history is known of one of them: two standbys were promoted to the same timeline, and the WAL of one would
 * be stored behind the history of the other. Those of the ancestors are compared when the timeline is new.
 */
export async function keepHistories(
  connection: PgConnection,
  timelines: readonly number[],
  deps: KeepHistoriesDeps,
  signal: AbortSignal,
): Promise<void> {
  const own = timelines.at(-1);
  if (own === undefined || own === 1) return;
  const isNew = (await findKnown(historyNameOf(own), deps, signal)) === undefined;
  for (const timeline of timelines.filter((each) => each > 1)) {
    const name = historyNameOf(timeline);
    const isSame = await findKnown(name, deps, signal);
    if (isSame !== undefined && timeline !== own && !isNew) continue;
    try {
      const history = await readTimelineHistoryFile(connection, timeline);
      if (history === undefined) continue;
      if (isSame === undefined) await keep(name, history.content, deps);
      else if (!isSame(history.content)) throw conflict(name);
    } catch (error) {
      if (timeline === own || !isOperatorError(error, 'postgres-error')) throw error;
      deps.log.warn(
        { site: deps.site, name, error: messageOf(error) },
        'the server does not have the history of an ancestor of its timeline',
      );
    }
  }
}

async function keep(name: string, content: Buffer, { site, directory, log }: KeepHistoriesDeps): Promise<void> {
  await writeFileAtomic(join(directory, name), content);
  log.info({ site, wal: name }, 'received the history of a timeline');
}

async function findKnown(name: string, { directory, catalog }: KeepHistoriesDeps, signal: AbortSignal): Promise<KnownHistory | undefined> {
  return (await findReceived(join(directory, name))) ?? findStored(name, catalog, signal);
}

async function findReceived(path: string): Promise<KnownHistory | undefined> {
  try {
    const received = await readFile(path);
    return (content) => content.equals(received);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

/** One that is fetched although it is stored is recognised as the same. The original stored no hash, so that nothing can be said of its histories. */
async function findStored(name: string, catalog: Catalog, signal: AbortSignal): Promise<KnownHistory | undefined> {
  try {
    const stored = await catalog.findWal(name, signal);
    if (stored === undefined) return undefined;
    const { hash, hashAlgorithm = '' } = parseWalMetadata(stored.metadata);
    const algorithm = nodeHashName(hashAlgorithm);
    return (content) => hash === undefined || algorithm === undefined || createHash(algorithm).update(content).digest('hex') === hash;
  } catch (error) {
    if (signal.aborted || !isOperatorError(error)) throw error;
    return undefined;
  }
}

function conflict(name: string): OperatorError {
  return new OperatorError('wal-conflict', `the server has another ${name} than the one that is archived`, {
    hint: 'Two standbys were promoted to the same timeline. Name in "nodes" the one whose WAL is archived; the other needs a site of its own.',
  });
}
