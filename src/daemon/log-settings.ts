import type { DaemonConfig } from '../config/load.ts';
import { secretsIn } from '../config/secrets.ts';
import type { LogSettings } from '../lib/log/root-log.ts';
import { parseSyslogAddress } from '../lib/log/syslog-address.ts';

/** What a configuration says of the log. */
export function logSettings(config: DaemonConfig): LogSettings {
  const { log_level: level, log_format: format, syslog, syslog_address, syslog_facility: facility } = config;
  const address = syslog ? parseSyslogAddress(syslog_address) : undefined;
  return { level, format: format ?? undefined, syslog: address && { address, facility }, secrets: secretsIn(config) };
}
