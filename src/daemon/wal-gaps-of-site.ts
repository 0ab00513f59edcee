import type { SiteConfig } from '../config/load.ts';
import type { Spool } from '../transfer/spool.ts';
import type { WalArchiver } from '../wal/archive.ts';
import { ArchiveMap } from '../wal/gaps/archive-map.ts';
import { ArchiveWatch } from '../wal/gaps/archive-watch.ts';
import { historyReader } from '../wal/gaps/history-reader.ts';
import { namesIn } from '../wal/gaps/on-its-way.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import type { DaemonParts } from './daemon-parts.ts';
import type { Ownership } from './ownership.ts';
import type { ServerWatch } from './servers/server-watch.ts';
import type { SiteLoop } from './site-loop.ts';
import { catalogsOfOneCluster, type SiteSources } from './site-sources.ts';
import { WalGaps } from './wal-gaps.ts';

export interface WalGapsParts {
  readonly parts: DaemonParts;
  readonly site: SiteConfig;
  readonly sources: SiteSources;
  readonly spool: Spool;
  readonly archiver: WalArchiver;
  readonly cluster: ClusterWatch;
  readonly servers: Pick<ServerWatch, 'leader'>;
  readonly loop: SiteLoop;
  readonly rejected: () => readonly string[];
  readonly ownership: Pick<Ownership, 'isHeld'>;
  readonly closing: AbortSignal;
}

/** Puts together what looks after the holes of a site; undefined where no WAL is archived, so that there are none. */
export function walGapsOf({
  parts,
  site,
  sources,
  spool,
  archiver,
  cluster,
  servers,
  loop,
  rejected,
  ownership,
  closing,
}: WalGapsParts): WalGaps | undefined {
  if (!site.active || ['basic', 'standalone_hot_backup'].includes(site.active_backup_mode)) return undefined;
  const { clock, log, walNodes, walPool: pool } = parts;
  const end = new AbortController();
  const signal = AbortSignal.any([closing, end.signal]);
  const { pg_data_directory: dataDirectory, nodes } = site;
  const server = { dataDirectory, nodes, walNodes, cluster: () => cluster.facts };
  const map = new ArchiveMap({
    relatives: (asking) => catalogsOfOneCluster(sources, asking),
    segmentBytes: () => cluster.facts.segmentBytes,
    readHistory: historyReader({
      ...server,
      sources,
      receiving: { pool, directory: spool.prefetchDirectory, hashAlgorithm: 'sha1', signal },
      log,
    }),
    signal,
  });
  const archivingDirectory = site.active_backup_mode === 'archive_command' ? (dataDirectory ?? undefined) : undefined;
  return new WalGaps({
    parts,
    site,
    loop,
    map,
    watch: new ArchiveWatch({
      site: site.name,
      map,
      archivingDirectory,
      written: () => servers.leader?.sample,
      partSeconds: site.wal_listing_seconds,
      clock,
      log,
      signal,
    }),
    mending: { ...server, directory: spool.prefetchDirectory, archive: (name, path) => archiver.archive(name, path, signal), signal },
    here: async () => [...archiver.underWay, ...(await namesIn([spool.walDirectory, spool.historyDirectory, spool.walIncomingDirectory]))],
    rejected,
    mayAct: () => ownership.isHeld,
    end,
  });
}
