import { z } from 'zod';
import { optionGroup, portOption, tagsOption } from '../lib/option-group.ts';

/** What keys of objects begin with. Parts that begin with a dot would be left out of listings of local stores. */
export const keyPrefixOption = z
  .string()
  .refine((prefix) => !/\p{Cc}/u.test(prefix), 'must not contain control characters')
  .refine((prefix) => !prefix.split('/').some((part) => part.startsWith('.')), 'must not have parts that begin with a dot');

/** Keys that every type of store has. */
export const commonStorageOptions = optionGroup({
  prefix: keyPrefixOption
    .nullable()
    .default(null)
    .meta({ description: 'What all keys in the store begin with, before the prefix of the site.' }),
  statsd_info: optionGroup({
    host: z.string().nullable().default('127.0.0.1').meta({ description: 'Where statsd listens.', since: 'after 1.4' }),
    port: portOption.nullable().default(8125).meta({ description: 'UDP port of statsd.', since: 'after 1.4' }),
    message_format: z.enum(['telegraf', 'datadog']).default('telegraf').meta({ description: 'How tags are written.', since: 'after 1.4' }),
    tags: tagsOption.nullable().default({}).meta({ description: 'Names and values attached to every metric.', since: 'after 1.4' }),
    operation_map: z.record(z.string(), z.string()).nullable().default({}).meta({
      description:
        'Other names for store operations in the tag `operation`. Ours: `put`, `get`, `head`, `list`, `delete`, `delete_many`, `remove_unfinished`, `create`.',
      since: 'after 1.4',
    }),
  })
    .nullable()
    .default(null)
    .meta({
      description: 'Where the metrics `rohmu_operation_count` and `rohmu_operation_size` (bytes) are sent, with the tag `operation`.',
      since: 'after 1.4',
    }),
  notifier: optionGroup({
    notifier_type: z.literal('http').meta({ description: 'How to tell.', since: 'after 1.4' }),
    url: z
      .url({ protocol: /^https?$/ })
      .meta({ description: 'Where a JSON object is posted for each upload and deletion.', since: 'after 1.4' }),
  })
    .nullable()
    .default(null)
    .meta({ description: 'Tells another service of uploads and deletions.', since: 'after 1.4' }),
});

/** A proxy on the way to the store. */
export const proxyOption = optionGroup({
  type: z.enum(['socks5', 'http']).meta({ description: 'Kind of proxy.', since: 'after 1.4' }),
  host: z.string().min(1).meta({ description: 'Its host.', since: 'after 1.4' }),
  port: portOption.meta({ description: 'Its port.', since: 'after 1.4' }),
  user: z.string().nullable().default(null).meta({ description: 'User name for the proxy.', since: 'after 1.4' }),
  pass: z.string().nullable().default(null).meta({ description: 'Password for the proxy.', since: 'after 1.4' }),
})
  .nullable()
  .default(null)
  .meta({ description: 'A proxy on the way to the store.', since: 'after 1.4' });

export type ProxyOptions = NonNullable<z.output<typeof proxyOption>>;

export const segmentSizeOption = z.int().min(1).nullable().default(null);
export const secretOption = z.string().min(1).nullable().default(null);
export const textOption = z.string().nullable().default(null);
export const bucketOption = z.string().min(1);
