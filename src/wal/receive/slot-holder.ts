import { OperatorError } from '../../lib/errors.ts';
import { connect } from '../../postgres/client.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { readSlotHolder, type SlotHolder } from '../../postgres/replication-slot.ts';

/** Adds to `slot-in-use` who it is that uses the slot, as far as an ordinary connection to the node tells. */
export async function nameSlotHolder(
  failure: OperatorError,
  { conninfo, slot }: PostgresNode,
  signal: AbortSignal,
): Promise<OperatorError> {
  if (slot === null) return failure;
  try {
    await using connection = await connect(conninfo, { applicationName: 'pghoard', signal });
    const holder = await readSlotHolder(connection, slot);
    return holder === undefined ? failure : heldBy(failure, slot, holder);
  } catch {
    // The role may receive WAL and nothing else.
    return failure;
  }
}

function heldBy({ hint, retryable, cause }: OperatorError, slot: string, { pid, host, applicationName }: SlotHolder): OperatorError {
  const where = `${host === undefined ? '' : ` on ${host}`}, process ${pid} of the server`;
  return new OperatorError('slot-in-use', `the replication slot ${slot} is used by ${applicationName ?? 'another receiver'}${where}`, {
    retryable,
    cause,
    ...(hint !== undefined && { hint }),
  });
}
