import type { SiteConfig } from '../../config/load.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { RequestObserver, StoreOperation } from '../../storage/request-observer.ts';

/** What says nothing against the store: it has no such object, or has it already. */
const ordinary = ['ok', 'object-missing', 'object-exists'];

/** Measures the requests to the store of a site: how long they take, what they move and how they fail. */
export function storeMetrics(metrics: Metrics, { name: site, object_storage: { storage_type: store } }: SiteConfig): RequestObserver {
  return {
    ended: ({ operation, key, bytes, durationMs, outcome }) => {
      const isOk = ordinary.includes(outcome);
      metrics.observe('pghoard.store_request_seconds', durationMs / 1000, { operation, result: isOk ? 'ok' : 'failed', site, store });
      if (bytes !== undefined) metrics.increase('pghoard.store_bytes', bytes, { operation, site, store });
      if (isOk) return;
      metrics.increase('pghoard.store_errors', 1, { error: outcome, operation, site, store });
      if (outcome === 'store-throttled') metrics.increase('pghoard.store_throttled', 1, { site, store });
      const where = whereOf(operation, key);
      if (where !== undefined) metrics.increase('pghoard.exception', 1, { exception: outcome, where });
    },
  };
}

/** What failed, in the words of the original; uploads are counted where they are repeated. */
function whereOf(operation: StoreOperation, key: string): string | undefined {
  switch (operation) {
    case 'list':
      return 'handle_list';
    case 'head':
      return 'handle_metadata';
    case 'get':
      return 'handle_download';
    case 'delete':
    case 'delete_many':
      return /(^|\/)(xlog|xlog_index|xlog_partial|xlog_rollup|timeline)\/[^/]*$/.test(key)
        ? 'delete_remote_wal_before'
        : 'delete_remote_basebackup';
    default:
      return undefined;
  }
}
