import { z } from 'zod';
import { optionGroup, pathOption } from '../../lib/option-group.ts';

const since = '3.0';
const httpUrl = z.url({ protocol: /^https?$/ });
const seconds = z.number().min(0);

const webhookOptions = optionGroup({
  url: httpUrl.meta({
    description: 'Where a JSON object is posted for each event. Kept secret: neither the log nor `/status` shows more than its host.',
    since,
  }),
  headers: z
    .record(
      z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/, 'is no name of a header'),
      z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must not contain control characters'),
    )
    .default({})
    .meta({ description: 'Headers that go with it, such as `Authorization`. Kept secret.', since }),
  secret_file: pathOption.nullable().default(null).meta({
    description:
      'File with a secret (text, or `whsec_` and base64) by which each request is signed, as Standard Webhooks has it (`webhook-signature`).',
    since,
  }),
  ca_file: pathOption
    .nullable()
    .default(null)
    .meta({ description: 'File with the certificates to trust, in PEM format, in place of those that Node knows.', since }),
  timeout_seconds: z.number().min(0.1).max(600).default(10).meta({ description: 'How long an answer is waited for.', since }),
});

export const alertOptions = optionGroup({
  webhook: webhookOptions.nullable().default(null).meta({ description: 'A web address that hears of events.', since }),
  command: z.array(z.string()).min(1).nullable().default(null).meta({
    description:
      'A program and its arguments, started without a shell for each event: JSON on its standard input, the same in `PGHOARD_…` variables.',
    since,
  }),
  command_timeout_seconds: z
    .number()
    .min(0.1)
    .max(3600)
    .default(30)
    .meta({ description: 'After which the command is killed, with what it started.', since }),
  min_severity: z.enum(['info', 'warning', 'critical']).default('info').meta({
    description: 'The least that is told: `info` are base backups that are complete.',
    since,
  }),
  after_seconds: seconds
    .default(30)
    .meta({ description: 'How long an alert must stand before somebody is told. Alert files and `/status` have it at once.', since }),
  settle_seconds: seconds.default(60).meta({
    description:
      'How long an alert must be gone before somebody is told; twice as long for each time that it came back within an hour, at most half an hour.',
    since,
  }),
  repeat_hours: z
    .number()
    .min(0.001)
    .nullable()
    .default(24)
    .meta({ description: 'How often is reminded of an alert that stands. Null: never.', since }),
  basebackup_failures: z
    .int()
    .min(1)
    .default(3)
    .meta({ description: 'After so many failures in a row base backups are an alert (`basebackup_failing`).', since }),
  basebackup_overdue_seconds: seconds.default(600).meta({
    description: 'How long a base backup may be due and not be taken (`basebackup_overdue`).',
    since,
  }),
  wal_stalled_seconds: seconds.default(300).meta({
    description: 'How long WAL that the server has finished may stay unstored while none is stored (`wal_not_archived`).',
    since,
  }),
  window_age_seconds: seconds.default(3600).meta({
    description: 'How old the newest restorable second may get (`restorable_window_stalled`).',
    since,
  }),
  disk_free_percent: z.number().min(0).max(100).default(10).meta({
    description: 'With less free than that, the disk of `backup_location` or of `pg_wal` is nearly full (`disk_nearly_full`).',
    since,
  }),
  disk_full_hours: z.number().min(0).default(6).meta({
    description: 'Also where it will be full within so many hours, going on as in the last half hour.',
    since,
  }),
  throttled_seconds: seconds.default(900).meta({
    description: 'How long a store may go on refusing requests because there are too many (`store_throttled`).',
    since,
  }),
});

const alertsDescription = 'Who is told when something is wrong, and when: see [alerts.md](alerts.md).';

export const alertGlobalOptions = optionGroup({
  alerts: alertOptions.prefault({}).meta({ description: alertsDescription, since }),
});

export const alertSiteOptions = optionGroup({
  alerts: alertOptions.nullable().default(null).meta({ description: 'In place of `alerts` at the top level, for this site.', since }),
  heartbeat_url: httpUrl.nullable().default(null).meta({
    description: 'Called (`GET`) while it is certain that the site can be restored, and only then: a dead man’s switch. Kept secret.',
    since,
  }),
  heartbeat_fail_url: httpUrl
    .nullable()
    .default(null)
    .meta({ description: 'Called in its place while that is not certain. Null: nothing is.', since }),
  heartbeat_interval_seconds: z.number().min(1).default(60).meta({ description: 'How often.', since }),
  heartbeat_max_age_seconds: seconds.default(3600).meta({ description: 'How old the newest restorable second may be.', since }),
});

export type AlertOptions = z.output<typeof alertOptions>;
export type WebhookOptions = z.output<typeof webhookOptions>;
export type AlertGlobalOptions = z.output<typeof alertGlobalOptions>;
export type AlertSiteOptions = z.output<typeof alertSiteOptions>;
