import { conninfoError } from './conninfo-keywords.ts';

/** True for `postgres://…` and `postgresql://…`. */
export function isConninfoUri(text: string): boolean {
  return /^postgres(ql)?:\/\//.test(text);
}

/**
 * Reads `postgres://user:password@host1:5432,[::1]/dbname?sslmode=require`, by the rules of libpq, except that an `@` in the password
 * needs no escape (the last one before the path counts), as the original had it. Keywords are not checked.
 */
export function parseConninfoUri(uri: string): Record<string, string> {
  const rest = uri.slice(uri.indexOf('://') + 3);
  const authorityEnd = rest.search(/[/?]/);
  const authority = authorityEnd === -1 ? rest : rest.slice(0, authorityEnd);
  const tail = authorityEnd === -1 ? '' : rest.slice(authorityEnd);
  const queryAt = tail.indexOf('?');
  const path = queryAt === -1 ? tail : tail.slice(0, queryAt);
  const hostsAt = authority.lastIndexOf('@') + 1;
  return {
    ...credentials(hostsAt === 0 ? '' : authority.slice(0, hostsAt - 1)),
    ...hosts(authority.slice(hostsAt)),
    ...(path.length > 1 ? { dbname: decode(path.slice(1), 'dbname') } : {}),
    ...(queryAt === -1 ? {} : parameters(tail.slice(queryAt + 1))),
  };
}

function credentials(text: string): Record<string, string> {
  const colon = text.indexOf(':');
  const user = colon === -1 ? text : text.slice(0, colon);
  return {
    ...(user === '' ? {} : { user: decode(user, 'user') }),
    ...(colon === -1 || colon === text.length - 1 ? {} : { password: decode(text.slice(colon + 1), 'password') }),
  };
}

function hosts(text: string): Record<string, string> {
  if (text === '') return {};
  const list = text.split(',').map(hostAndPort);
  const result: Record<string, string> = {};
  if (list.some(({ host }) => host !== '')) result.host = list.map(({ host }) => host).join(',');
  if (list.some(({ port }) => port !== '')) result.port = list.map(({ port }) => port).join(',');
  return result;
}

function hostAndPort(text: string): { host: string; port: string } {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:[\]]*))(?::(?<port>\d*))?$/.exec(text);
  if (!match?.groups) {
    throw conninfoError(
      'connection URI: cannot read the host and port',
      'Write host, host:port or [IPv6 address]:port; escape other characters as %XX.',
    );
  }
  return { host: match.groups.v6 ?? decode(match.groups.host ?? '', 'host'), port: match.groups.port ?? '' };
}

function parameters(query: string): Record<string, string> {
  const result: Record<string, string> = {};
  for (const parameter of query.split('&')) {
    if (parameter === '') continue;
    const equals = parameter.indexOf('=');
    if (equals <= 0) throw conninfoError('connection URI: a query parameter lacks its "="');
    const keyword = decode(parameter.slice(0, equals), 'query parameter');
    const value = decode(parameter.slice(equals + 1), keyword);
    // As libpq, for URIs written for JDBC.
    if (keyword === 'ssl' && value === 'true') result.sslmode = 'require';
    else Object.defineProperty(result, keyword, { value, enumerable: true, configurable: true, writable: true });
  }
  return result;
}

function decode(text: string, what: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (!decoded.includes('\0')) return decoded;
  } catch {
    // Told below, without the text: it may be a password.
  }
  throw conninfoError(
    `connection URI: the ${what} has a "%" that is not followed by two hexadecimal digits of UTF-8 text`,
    'Write %25 for a "%" itself.',
  );
}
