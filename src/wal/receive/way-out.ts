import type { Clock } from '../../lib/clock.ts';
import { explain, messageOf, type OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { connect } from '../../postgres/client.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { makeMissingSlot } from './make-missing-slot.ts';
import type { WalHole } from './receiver.ts';
import { restartAfterHole, restartOnNewTimeline } from './restart-position.ts';
import type { WayOfReceiving } from './way-of-receiving.ts';

export interface WayOutDeps {
  readonly site: string;
  readonly directory: string;
  readonly missingFrom: WayOfReceiving['missingFrom'];
  /** WAL had to be left out. */
  readonly onHole: (hole: WalHole) => void;
  /** Told before WAL is left out. */
  readonly report: (failure: OperatorError) => void;
  /** Forgets what waits of the directory. */
  readonly clearIncoming: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What receiving from a server has led to. */
export interface ReceivingFailure {
  readonly error: OperatorError;
  readonly node: PostgresNode;
  /** Where there is only one server, a slot that is missing is a mistake that somebody has to see. */
  readonly mayMakeSlot: boolean;
  /** Whether all servers have been asked in the meantime. */
  readonly isLastServer: boolean;
}

/** Tries what can be done about a failure beside repeating; true where receiving shall begin again at once. */
export async function findWayOut(failure: ReceivingFailure, deps: WayOutDeps): Promise<boolean> {
  const { error, node, mayMakeSlot, isLastServer } = failure;
  if (error.code === 'slot-missing' && mayMakeSlot) return makeMissingSlot(node, deps);
  const isRemoved = ['wal-removed', 'slot-lost'].includes(error.code);
  if (!isRemoved && error.code !== 'wal-diverged') return false;
  if (isRemoved && !isLastServer) return false;
  try {
    await (isRemoved ? goOnBehindHole(error, node, deps) : goOnWithNewTimeline(error, node, deps));
    return true;
  } catch (why) {
    if (!deps.signal.aborted) deps.log.error({ site: deps.site }, `cannot go on behind WAL that is gone: ${explain(why)}`);
    return false;
  }
}

async function goOnBehindHole(error: OperatorError, { conninfo, slot }: PostgresNode, deps: WayOutDeps): Promise<void> {
  const { directory, missingFrom, clock, report, onHole, signal } = deps;
  await using connection = await connect(conninfo, { replication: true, applicationName: 'pghoard', signal });
  report(error);
  onHole(await restartAfterHole(connection, { directory, slot, missingFrom, now: clock.now() }));
}

async function goOnWithNewTimeline(error: OperatorError, { conninfo }: PostgresNode, deps: WayOutDeps): Promise<void> {
  const { directory, clearIncoming, log, site, signal } = deps;
  await using connection = await connect(conninfo, { replication: true, applicationName: 'pghoard', signal });
  const from = await restartOnNewTimeline(connection, directory, clearIncoming);
  log.warn({ site, from }, `${messageOf(error)}; receiving goes on where the timeline of the server begins`);
}
