import { explain } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { connect } from '../../postgres/client.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { nodeLabel } from '../../postgres/node-label.ts';
import { createPhysicalSlot } from '../../postgres/replication-slot.ts';

/** Slots do not come along when a standby is promoted. Resolves to whether there is one now that was not there before. */
export async function makeMissingSlot(
  { conninfo, slot }: PostgresNode,
  { site, log, signal }: { readonly site: string; readonly log: Log; readonly signal: AbortSignal },
): Promise<boolean> {
  if (slot === null) return false;
  try {
    await using connection = await connect(conninfo, { replication: true, applicationName: 'pghoard', signal });
    const isMade = await createPhysicalSlot(connection, slot, { reserveWal: true });
    if (isMade) log.info({ site, slot }, `made the replication slot on ${nodeLabel(conninfo)}, which is the primary now`);
    return isMade;
  } catch (error) {
    if (!signal.aborted) log.error({ site, slot }, `cannot make the replication slot: ${explain(error)}`);
    return false;
  }
}
