import { createHmac, timingSafeEqual } from 'node:crypto';

/** One line of a known_hosts file, as sshd(8) describes it. */
interface KnownHost {
  readonly isRevoked: boolean;
  readonly hosts: string;
  readonly type: string;
  readonly key: string;
}

export interface KnownKeys {
  /** Base64 of the keys that the server may have, and of those it must not have. */
  readonly trusted: ReadonlySet<string>;
  readonly revoked: ReadonlySet<string>;
  /** Types of the trusted ones: the server has a key for each of several types, and shows the one it is asked for. */
  readonly types: readonly string[];
}

/** What files say of a server. Keys of certificate authorities do not count: certificates of hosts are not understood here. */
export function keysOfServer(files: readonly string[], server: string, port: number): KnownKeys {
  const names = port === 22 ? [server] : [`[${server}]:${port}`];
  const lines = files.flatMap(parseLines).filter(({ hosts }) => names.some((name) => matches(hosts, name.toLowerCase())));
  const revoked = lines.filter(({ isRevoked }) => isRevoked);
  const trusted = lines.filter(({ isRevoked, key }) => !isRevoked && !revoked.some((other) => other.key === key));
  return {
    trusted: new Set(trusted.map(({ key }) => key)),
    revoked: new Set(revoked.map(({ key }) => key)),
    types: [...new Set(trusted.map(({ type }) => type))],
  };
}

function parseLines(text: string): KnownHost[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    if (words[0]?.startsWith('#')) return [];
    const marker = words[0]?.startsWith('@') ? words.shift() : undefined;
    const [hosts, type, key] = words;
    if (hosts === undefined || type === undefined || key === undefined || marker === '@cert-authority') return [];
    return [{ isRevoked: marker === '@revoked', hosts, type, key }];
  });
}

function matches(hosts: string, name: string): boolean {
  if (hosts.startsWith('|1|')) return matchesHash(hosts, name);
  const patterns = hosts.toLowerCase().split(',');
  if (patterns.some((pattern) => pattern.startsWith('!') && matchesPattern(pattern.slice(1), name))) return false;
  return patterns.some((pattern) => matchesPattern(pattern, name));
}

/** `|1|salt|HMAC-SHA1 of the name`, both in Base64. */
function matchesHash(hosts: string, name: string): boolean {
  const [, , salt = '', hash = ''] = hosts.split('|');
  const expected = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

function matchesPattern(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(name);
}
