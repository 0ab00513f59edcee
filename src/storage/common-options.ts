import { z } from 'zod';
import { optionGroup, portOption, tagsOption } from '../lib/option-group.ts';

/** Keys that every type of store has. */
export const commonStorageOptions = optionGroup({
  prefix: z
    .string()
    .refine(
      (prefix) => !prefix.split('/').some((part) => part === '.' || part === '..'),
      'must not contain "." or ".." as a path component',
    )
    .nullable()
    .default(null)
    .meta({ description: 'What all keys in the store begin with, before the prefix of the site.', since: '1.0' }),
  statsd_info: optionGroup({
    host: z.string().nullable().default('127.0.0.1').meta({ description: 'Where statsd listens.', since: '2.3' }),
    port: portOption.nullable().default(8125).meta({ description: 'UDP port of statsd.', since: '2.3' }),
    message_format: z.enum(['telegraf', 'datadog']).default('telegraf').meta({ description: 'How tags are written.', since: '2.3' }),
    tags: tagsOption.nullable().default({}).meta({ description: 'Names and values attached to every metric.', since: '2.3' }),
    operation_map: z.record(z.string(), z.string()).nullable().default({}).meta({
      description: 'Other names for store operations in the tag `operation`.',
      since: '2.3',
    }),
  })
    .nullable()
    .default(null)
    .meta({ description: 'Metrics about the store’s operations.', since: '2.3' }),
  notifier: optionGroup({
    notifier_type: z.literal('http').meta({ description: 'How to tell.', since: '2.3' }),
    url: z.url({ protocol: /^https?$/ }).meta({ description: 'Where a JSON object is posted for each upload and deletion.', since: '2.3' }),
  })
    .nullable()
    .default(null)
    .meta({ description: 'Tells another service of uploads and deletions.', since: '2.3' }),
});

/** A proxy on the way to the store. */
export const proxyOption = optionGroup({
  type: z.enum(['socks5', 'http']).meta({ description: 'Kind of proxy.', since: '2.2' }),
  host: z.string().min(1).meta({ description: 'Its host.', since: '2.2' }),
  port: portOption.meta({ description: 'Its port.', since: '2.2' }),
  user: z.string().nullable().default(null).meta({ description: 'User name for the proxy.', since: '2.2' }),
  pass: z.string().nullable().default(null).meta({ description: 'Password for the proxy.', since: '2.2' }),
})
  .nullable()
  .default(null)
  .meta({ description: 'A proxy on the way to the store.', since: '2.2' });

export const segmentSizeOption = z.int().min(1).nullable().default(null);
export const secretOption = z.string().min(1).nullable().default(null);
export const textOption = z.string().nullable().default(null);
export const bucketOption = z.string().min(1);
