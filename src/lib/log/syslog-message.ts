import type { LogLevel } from '../log.ts';
import type { LogRecord } from './record.ts';
import { renderers } from './render.ts';
import type { SyslogAddress } from './syslog-address.ts';

export interface SyslogOptions {
  readonly address: SyslogAddress;
  readonly facility: SyslogFacility;
}

/** In the order of their numbers, which has a gap before the local ones. */
export const syslogFacilities = [
  ...(['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'] as const),
  ...(['local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'] as const),
] as const;
export type SyslogFacility = (typeof syslogFacilities)[number];

/** As RFC 5424 has them. */
export const severities: Readonly<Record<LogLevel, number>> = { CRITICAL: 2, ERROR: 3, WARNING: 4, INFO: 6, DEBUG: 7 };

/** What rsyslog takes if nobody tells it to take more. */
const messageBytesMax = 8 * 1024 - 256;

export interface Sender {
  readonly program: string;
  readonly host: string;
  readonly pid: number;
}

/** One line for `logger`, which makes the header, or a message of RFC 5424 for a server. */
export function syslogMessage(record: LogRecord, { address, facility }: SyslogOptions, { program, host, pid }: Sender): Buffer {
  const priority = `<${numberOf(facility) * 8 + severities[record.level]}>`;
  const text = cut(renderers.bare(record));
  if (address.kind === 'unix') return Buffer.from(`${priority}${text}\n`);
  const message = `${priority}1 ${record.time.toISOString()} ${host} ${program} ${pid} - - ${text}`;
  return Buffer.from(address.kind === 'tcp' ? `${message}\n` : message);
}

function numberOf(facility: SyslogFacility): number {
  const index = syslogFacilities.indexOf(facility);
  return facility.startsWith('local') ? index + 4 : index;
}

/** Not within a character. */
function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= messageBytesMax) return text;
  return `${new TextDecoder().decode(bytes.subarray(0, messageBytesMax), { stream: true })}…`;
}
