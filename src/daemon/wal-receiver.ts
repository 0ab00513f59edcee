import type { Catalog } from '../catalog/catalog.ts';
import type { SiteConfig } from '../config/load.ts';
import { explain, isOperatorError, type OperatorError } from '../lib/errors.ts';
import { majorOf } from '../postgres/versions.ts';
import type { Spool } from '../transfer/spool.ts';
import type { WalArchiver } from '../wal/archive.ts';
import { localDurability, type WalDurability } from '../wal/receive/durability.ts';
import { IncomingWal, type IncomingWalDeps } from '../wal/receive/incoming-wal.ts';
import { PgReceivewal } from '../wal/receive/pg-receivewal.ts';
import type { ReceiverStatus, WalHole, WalReceiver } from '../wal/receive/receiver.ts';
import { StoreDurability } from '../wal/receive/store-durability.ts';
import { SupervisedReceiver, type SupervisedReceiverDeps } from '../wal/receive/supervised-receiver.ts';
import { Walreceiver } from '../wal/receive/walreceiver.ts';
import type { WayOfReceiving } from '../wal/receive/way-of-receiving.ts';
import type { WalBeginnings } from '../wal/wal-beginnings.ts';
import type { ClusterFacts } from '../wal/wal-source.ts';
import type { Admission } from './admission.ts';
import type { AlertName } from './alerts/alert-catalogue.ts';
import type { Alerts } from './alerts/alerts.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { LeasedReceiver } from './leased-receiver.ts';
import type { Ownership } from './ownership.ts';
import type { ProgramWatch } from './program-watch.ts';
import { receivingOrder } from './servers/receiving-order.ts';
import type { ServerWatch } from './servers/server-watch.ts';
import type { SiteLoop } from './site-loop.ts';
import { placeOf } from './site-programs.ts';

export interface ReceiverParts {
  readonly parts: DaemonParts;
  readonly alerts: Pick<Alerts, 'raise' | 'clear' | 'isRaised'>;
  readonly site: SiteConfig;
  readonly catalog: Catalog;
  /** See `SiteServices`. */
  readonly relatives: (signal: AbortSignal) => Promise<readonly Catalog[]>;
  readonly spool: Spool;
  readonly archiver: WalArchiver;
  readonly beginnings: WalBeginnings;
  readonly cluster: ClusterWatch;
  readonly admission: Pick<Admission, 'confirmStore' | 'facts' | 'receive'>;
  readonly loop: SiteLoop;
  readonly servers: ServerWatch;
  /** Tells of a program that is too old. */
  readonly programs: Pick<ProgramWatch, 'lookAgain'>;
  /** WAL had to be left out. */
  readonly onHole: (hole: WalHole) => void;
  /** Ends uploads. */
  readonly signal: AbortSignal;
}

const connectionAlerts = ['authentication_error', 'configuration_error'] as const satisfies AlertName[];

/** What brings the WAL of a site here while it is for this daemon to do that; undefined where the server sends it, or nobody. */
export function leasedReceiverOf(own: ReceiverParts, ownership: Ownership): LeasedReceiver | undefined {
  const { clock, log } = own.parts;
  const mode = own.site.active_backup_mode;
  if (!own.site.active || own.site.nodes.length === 0 || (mode !== 'pg_receivexlog' && mode !== 'walreceiver')) return undefined;
  const onWaiting = () => tellOf(own)(clearAll(own));
  return new LeasedReceiver({ site: own.site.name, mode, make: () => receiverOf(own, mode), ownership, onWaiting, clock, log });
}

function receiverOf(own: ReceiverParts, mode: ReceiverStatus['mode']): WalReceiver {
  const inStore = own.site.wal_durability === 'store' ? storeDurability(own) : undefined;
  const way = wayOfReceiving(own, mode, inStore ?? localDurability);
  return new SupervisedReceiver({ ...supervisionDeps(own), onStored: (name) => inStore?.stored(name) }, way);
}

function storeDurability({ parts, site, spool, beginnings }: ReceiverParts): StoreDurability {
  const { clock, random, log } = parts;
  return new StoreDurability({ site: site.name, directory: spool.walIncomingDirectory, beginnings, clock, random, log });
}

function wayOfReceiving(own: ReceiverParts, mode: ReceiverStatus['mode'], durability: WalDurability): WayOfReceiving {
  const { parts, site, cluster, admission, spool, catalog, relatives } = own;
  const common = {
    site: site.name,
    directory: spool.walIncomingDirectory,
    cluster: () => admission.facts,
    onServer: async (facts: ClusterFacts, target: string) => {
      const { pgVersion, ...seen } = facts;
      const major = pgVersion === undefined ? undefined : majorOf(pgVersion);
      await admission.receive({ what: `the cluster at ${target}`, ...seen, major }, own.signal);
      cluster.learn(facts);
    },
    clock: parts.clock,
    metrics: parts.metrics,
    log: parts.log,
  };
  switch (mode) {
    case 'pg_receivexlog':
      return new PgReceivewal({
        ...common,
        programs: placeOf('pg_receivewal', site, parts.config),
      });
    case 'walreceiver':
      return new Walreceiver({
        ...common,
        catalog,
        // A store that is not mounted must not say that it has nothing.
        relatives: async (signal) => {
          await admission.confirmStore(signal);
          return relatives(signal);
        },
        durability,
        remembered: parts.previouslyFlushed(site.name),
      });
  }
}

function supervisionDeps(own: ReceiverParts): SupervisedReceiverDeps {
  const { parts, site, loop, alerts, programs, servers } = own;
  const tell = tellOf(own);
  return {
    ...incomingDeps(own),
    order: () => receivingOrder(site.nodes, own.servers),
    orderKnown: (signal) => own.servers.asked(signal),
    guard: site.pg_receivexlog,
    onTrouble: (error) => {
      if (isOperatorError(error, 'program-too-old')) {
        programs.lookAgain();
        return false;
      }
      const isNew = !alerts.isRaised(alertOf(error), site.name);
      tell(alerts.raise(alertOf(error), site.name, `WAL is not being received: ${explain(error)}`));
      return isNew;
    },
    onRunning: () => {
      loop.lookAgain();
      tell(clearAll(own));
    },
    sampleOf: (node) => servers.nodes[site.nodes.indexOf(node)]?.sample,
    watch: (onStall) => parts.jobs.begin({ site: site.name, kind: 'receiver', what: 'the receiving of WAL' }, onStall),
    onHole: own.onHole,
  };
}

function tellOf({ parts, site }: ReceiverParts): (alerting: Promise<void>) => void {
  return (alerting) =>
    void alerting.catch((error: unknown) => parts.log.error({ site: site.name }, `cannot write an alert file: ${explain(error)}`));
}

/** Archives what a receiver left behind that does not run any more, because the site has another mode now. */
export async function archiveLeftBehind(own: ReceiverParts): Promise<void> {
  const incoming = new IncomingWal(incomingDeps(own));
  await incoming.look();
  await incoming.settled();
}

function incomingDeps({ parts, site, spool, archiver, signal }: ReceiverParts): IncomingWalDeps {
  const { clock, random, metrics, log } = parts;
  const archive = (name: string, path: string) => archiver.archive(name, path, signal);
  return { site: site.name, directory: spool.walIncomingDirectory, archive, clock, random, metrics, log, signal };
}

function alertOf(error: OperatorError): AlertName {
  return isOperatorError(error, 'postgres-authentication') ? 'authentication_error' : 'configuration_error';
}

async function clearAll({ alerts, site }: ReceiverParts): Promise<void> {
  for (const name of connectionAlerts) await alerts.clear(name, site.name);
}
