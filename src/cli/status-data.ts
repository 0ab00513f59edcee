import { type SiteStatus, type StatusReport, worstOf } from './status-report.ts';

const formatVersion = 1;

/** What `--json` prints: docs/guide.md describes it. Keys are only ever added within a format. */
export function statusAsData({ config, version, at, daemon, sites }: StatusReport): Record<string, unknown> {
  return {
    format: formatVersion,
    version,
    config,
    at: at.toISOString(),
    daemon,
    verdict: worstOf(sites),
    sites: sites.map(siteAsData),
  };
}

function siteAsData({ site, verdict, source, health, store }: SiteStatus): Record<string, unknown> {
  return { site, verdict, source, health: health ?? null, store: storeAsData(store) };
}

function storeAsData(store: SiteStatus['store']): Record<string, unknown> | null {
  if (store === undefined) return null;
  if ('because' in store) return { basebackups: null, newest: null, because: store.because };
  return { basebackups: store.count, newest: store.newest ?? null, because: null };
}
