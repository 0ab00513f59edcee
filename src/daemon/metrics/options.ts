import { z } from 'zod';
import { optionGroup, portOption, tagsOption } from '../../lib/option-group.ts';

const tags = tagsOption
  .nullable()
  .default({})
  .transform((given) => given ?? {})
  .meta({
    description: 'Names and values attached to every metric.',
    since: '1.4',
  });

const statsdOptions = optionGroup({
  host: z.string().nullable().default('127.0.0.1').meta({ description: 'Where statsd listens. Null: no statsd.', since: '1.4' }),
  port: portOption.nullable().default(8125).meta({ description: 'UDP port of statsd. Null: no statsd.', since: '1.4' }),
  format: z.enum(['telegraf', 'datadog']).default('telegraf').meta({ description: 'How tags are written.', since: '1.4' }),
  tags,
}).transform(({ host, port, ...rest }) => (host === null || host === '' || port === null ? null : { host, port, ...rest }));

const prometheusOptions = optionGroup({ tags });

const pushgatewayOptions = optionGroup({
  endpoint: z
    .union([z.literal(''), z.url({ protocol: /^https?$/ })], 'must be a URL that begins with http:// or https://')
    .nullable()
    .default(null)
    .meta({ description: 'URL of the pushgateway, with a user and password if it needs them. Null or empty: none.', since: '2.1' }),
  job: z.string().min(1).default('pghoard').meta({ description: 'Name of the job.', since: '2.1' }),
  instance: z.string().nullable().default(null).meta({
    description: 'Name of the instance.',
    since: '2.1',
    defaultText: 'the tag `site`, else the host name',
  }),
  tags,
}).transform(({ endpoint, ...rest }) => (endpoint === null || endpoint === '' ? null : { endpoint, ...rest }));

/** Where metrics go. Each absent or null: not there. */
export const metricsGlobalOptions = optionGroup({
  statsd: statsdOptions
    .nullable()
    .default(null)
    .meta({
      description: 'Metrics by UDP to statsd (telegraf or datadog).',
      since: '1.4',
      spellings: ['stats'],
    }),
  prometheus: prometheusOptions.nullable().default(null).meta({ description: 'Metrics at `GET /metrics`.', since: '2.1' }),
  pushgateway: pushgatewayOptions
    .nullable()
    .default(null)
    .meta({
      description: 'Metrics to a Prometheus pushgateway.',
      since: '2.1',
      spellings: ['push_gateway'],
    }),
});

export type StatsdOptions = NonNullable<z.output<typeof statsdOptions>>;
export type PrometheusOptions = z.output<typeof prometheusOptions>;
export type PushgatewayOptions = NonNullable<z.output<typeof pushgatewayOptions>>;
export type MetricsGlobalOptions = z.output<typeof metricsGlobalOptions>;
