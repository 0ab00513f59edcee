import { z } from 'zod';
import { parseSyslogAddress } from '../lib/log/syslog-address.ts';
import { syslogFacilities } from '../lib/log/syslog-message.ts';
import { type LogLevel, logFormats, logLevels } from '../lib/log.ts';
import { optionGroup, pathOption } from '../lib/option-group.ts';

/** Python's other names for levels. */
const levelAliases: Readonly<Record<string, LogLevel>> = { WARN: 'WARNING', FATAL: 'CRITICAL', NOTSET: 'DEBUG' };

const logLevelOption = z
  .string()
  .toUpperCase()
  .pipe(z.enum([...logLevels, 'WARN', 'FATAL', 'NOTSET']))
  .transform((level): LogLevel => levelAliases[level] ?? (level as LogLevel));

/** The process itself. */
export const daemonGlobalOptions = optionGroup({
  json_state_file_path: pathOption.default('/var/lib/pghoard/pghoard_state.json').meta({
    description: 'File in which the daemon tells its state.',
  }),
  alert_file_dir: pathOption.nullable().default(null).meta({
    description: 'Directory in which the daemon leaves a file per trouble that an operator should know of.',
    defaultText: '`backup_location`, else the working directory',
  }),
  maintenance_mode_file: pathOption.default('/var/lib/pghoard/maintenance_mode_file').meta({
    description: 'While this file exists no base backup is started.',
    since: '1.5',
  }),
  log_level: logLevelOption.default('INFO').meta({
    description: `What is logged: ${logLevels.join(', ')}.`,
  }),
  log_format: z
    .enum(logFormats)
    .nullable()
    .default(null)
    .meta({
      description:
        'How standard error is written. `text`: with the time, reasons and hints on lines of their own. `short`: one line each, the level, a tab, the message ' +
        '(also with `--short-log`, which comes first). `json`: one object a line.',
      defaultText: '`text`; where standard error is the journal of systemd, one line each without the time',
      since: '3.0',
    }),
  syslog: z.boolean().default(false).meta({ description: 'Log to syslog too.' }),
  syslog_address: z
    .string()
    .refine((text) => parseSyslogAddress(text) !== undefined, 'must be the path of a socket, host:port, udp://host:port or tcp://host:port')
    .default('/dev/log')
    .meta({
      description: 'Where syslog listens: a socket file (by the program `logger` of util-linux), `host:port` (UDP), or `tcp://host:port`.',
    }),
  syslog_facility: z.enum(syslogFacilities).default('local2').meta({ description: 'Facility of our messages in syslog.' }),
  graceful_shutdown_compression_timeout: z.number().min(0).default(180).meta({
    description: 'Seconds that SIGTERM waits for running compression.',
    since: '2.6.2',
  }),
  graceful_shutdown_upload_timeout: z.number().min(0).default(300).meta({
    description: 'Seconds that SIGTERM then waits for running uploads.',
    since: '2.6.2',
  }),
  deleter_event_get_timeout: z.number().nullable().default(null).meta({
    description: 'Seconds between looks of the WAL deleter at its queue.',
    since: '2.2.2',
    unused: 'nothing polls any more',
  }),
});

/** Whether the daemon works for a site. */
export const daemonSiteOptions = optionGroup({
  active: z.boolean().default(true).meta({
    description: 'False: the daemon takes no backups and prunes nothing, but lists and serves restores.',
  }),
  lease_seconds: z
    .number()
    .min(1)
    .max(3600)
    .nullable()
    .default(60)
    .meta({
      description:
        'How long a daemon that is gone without a word is waited for until another one on the same store takes base backups, prunes and receives WAL ' +
        'in its place. Its lease costs three requests (a read, a write, a listing) each third of that time. Null: no other daemon works on the site.',
      since: '3.0',
    }),
});

export type DaemonGlobalOptions = z.output<typeof daemonGlobalOptions>;
export type DaemonSiteOptions = z.output<typeof daemonSiteOptions>;
