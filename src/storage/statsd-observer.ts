import { Statsd } from '../lib/statsd.ts';
import type { StorageOptions } from './options.ts';
import type { RequestObserver } from './request-observer.ts';

type StatsdInfo = NonNullable<StorageOptions['statsd_info']>;

/** Counts requests by their operation, and the bytes that they moved. Undefined where there is nobody to tell. */
export function statsdObserver({ host, port, message_format, tags, operation_map }: StatsdInfo): RequestObserver | undefined {
  if (host === null || host === '' || port === null) return undefined;
  const statsd = new Statsd({ host, port, format: message_format, tags: tags ?? {} });
  return {
    ended: ({ operation, bytes }) => {
      const name = { operation: operation_map?.[operation] ?? operation };
      statsd.counter('rohmu_operation_count', 1, name);
      if (bytes !== undefined) statsd.counter('rohmu_operation_size', bytes, name);
    },
    close: () => statsd.close(),
  };
}
