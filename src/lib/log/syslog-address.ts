/** Where syslog listens. */
export type SyslogAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'udp' | 'tcp'; readonly host: string; readonly port: number };

const portDefault = 514;

/** A socket file, `host:port` (UDP, as the original has it), `udp://host:port` or `tcp://host:port`. Undefined for anything else. */
export function parseSyslogAddress(text: string): SyslogAddress | undefined {
  if (text.startsWith('/')) return { kind: 'unix', path: text };
  const [, scheme, host, port] = /^(?:(udp|tcp):\/\/)?(\[[\da-f:.]+\]|[^\s:/[\]]+)(?::(\d{1,5}))?$/i.exec(text) ?? [];
  if (host === undefined || (scheme === undefined && port === undefined)) return undefined;
  const number = port === undefined ? portDefault : Number(port);
  if (number < 1 || number > 65_535) return undefined;
  return { kind: scheme?.toLowerCase() === 'tcp' ? 'tcp' : 'udp', host: host.replace(/^\[(.*)\]$/, '$1'), port: number };
}
