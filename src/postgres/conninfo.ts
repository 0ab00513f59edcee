import { existsSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { type ConnInfo, checkKeywords, conninfoError, conninfoKeywords, secretKeywords } from './conninfo-keywords.ts';
import { parseConninfoText } from './conninfo-text.ts';
import { isConninfoUri, parseConninfoUri } from './conninfo-uri.ts';
import { lookUpPassword } from './pgpass.ts';
import { lookUpService } from './service-file.ts';

export type { ConnInfo } from './conninfo-keywords.ts';

export interface ResolveOptions {
  /** The connection will be a physical replication one: password files are asked for the database `replication`. */
  readonly replication?: boolean;
  /** Told why a password file was ignored. */
  readonly onNote?: (note: string) => void;
}

/** Where libpq builds keep their sockets: Debian's and Red Hat's first. */
const socketDirectories = ['/var/run/postgresql', '/tmp'] as const;
const portDefault = '5432';

/**
 * Reads a libpq keyword string, a `postgres://` URI, or an object of libpq keywords or with a `connection_string`.
 * Throws `conninfo-invalid`; no message repeats a value.
 */
export function parseConninfo(input: string | Readonly<Record<string, unknown>>): ConnInfo {
  return checkKeywords(parseUnchecked(input));
}

/** As {@link parseConninfo}, with keywords that libpq does not have. */
export function parseUnchecked(input: string | Readonly<Record<string, unknown>>): Record<string, string> {
  if (typeof input === 'string') return isConninfoUri(input) ? parseConninfoUri(input) : parseConninfoText(input);
  const { connection_string: text, ...keywords } = input;
  if (text === undefined) return textValues(keywords);
  if (typeof text !== 'string') throw conninfoError('connection_string must be text');
  if (Object.keys(keywords).length > 0) {
    throw conninfoError(
      `connection_string cannot be combined with ${Object.keys(keywords).join(', ')}`,
      'Put everything into the connection string.',
    );
  }
  return parseUnchecked(text);
}

/** As a libpq keyword string: keywords sorted, every value quoted. */
export function formatConninfo(info: ConnInfo): string {
  return Object.keys(info)
    .toSorted()
    .map((keyword) => `${keyword}='${(info[keyword] ?? '').replaceAll(/[\\']/g, '\\$&')}'`)
    .join(' ');
}

/** Without anything secret, fit for command lines and messages. */
export function withoutPassword(info: ConnInfo): ConnInfo {
  return Object.fromEntries(Object.entries(info).filter(([keyword]) => !secretKeywords.includes(keyword)));
}

/** One connection per host, in their order, each with its own `host`, `hostaddr` and `port`. */
export function splitHosts(info: ConnInfo): ConnInfo[] {
  const { host = '', hostaddr = '', port = '', ...rest } = info;
  const hosts = host.split(',');
  const addresses = hostaddr.split(',');
  const ports = port.split(',');
  const count = Math.max(host === '' ? 0 : hosts.length, hostaddr === '' ? 0 : addresses.length, 1);
  checkCount('host names to host addresses', host === '' || hostaddr === '' ? count : Math.min(hosts.length, addresses.length), count);
  if (ports.length > 1) checkCount('ports to hosts', ports.length, count);
  return Array.from({ length: count }, (_, index) => ({
    ...rest,
    ...given('host', hosts[index]),
    ...given('hostaddr', addresses[index]),
    ...given('port', ports.length === 1 ? ports[0] : ports[index]),
  }));
}

/**
 * Fills in what libpq would: the service, the PG* variables of `env`, the built-in defaults, and the password from the password file.
 * With several hosts a password found in the file is filled in only if it is the same for all; otherwise resolve each of {@link splitHosts}.
 */
export async function resolveConninfo(info: ConnInfo, env: NodeJS.ProcessEnv, options: ResolveOptions = {}): Promise<ConnInfo> {
  const home = env.HOME ?? homedir();
  const { service: _service, servicefile: _servicefile, ...direct } = withoutEmpty(info);
  const fromService = await serviceParameters(withoutEmpty(info), env, home);
  const named = { ...fromEnvironment(env), ...fromService, ...direct };
  const complete = withDefaults(named);
  if (complete.password !== undefined) return complete;
  const password = await filePassword(complete, home, options);
  return password === undefined ? complete : { ...complete, password };
}

async function serviceParameters(info: ConnInfo, env: NodeJS.ProcessEnv, home: string): Promise<ConnInfo> {
  const service = info.service ?? env.PGSERVICE;
  if (service === undefined || service === '') return {};
  return lookUpService(service, {
    file: info.servicefile ?? env.PGSERVICEFILE,
    home,
    systemDirectory: env.PGSYSCONFDIR ?? '/etc/postgresql-common',
  });
}

function fromEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [keyword, variable] of Object.entries(conninfoKeywords)) {
    const value = variable === undefined ? undefined : env[variable];
    if (value !== undefined && value !== '' && keyword !== 'service' && keyword !== 'servicefile') found[keyword] = value;
  }
  return found;
}

function withDefaults(info: ConnInfo): Record<string, string> {
  const user = info.user ?? userInfo().username;
  const port = info.port ?? portDefault;
  const host = info.host === undefined && info.hostaddr === undefined ? { host: socketDirectory(port) } : {};
  return { ...host, ...info, user, port, dbname: info.dbname ?? user };
}

function socketDirectory(port: string): string {
  const withSocket = socketDirectories.find((directory) => existsSync(join(directory, `.s.PGSQL.${port}`)));
  return withSocket ?? socketDirectories.find((directory) => existsSync(directory)) ?? 'localhost';
}

async function filePassword(info: ConnInfo, home: string, options: ResolveOptions): Promise<string | undefined> {
  const file = info.passfile ?? join(home, '.pgpass');
  const physical = options.replication === true || /^(true|on|yes|1)$/i.test(info.replication ?? '');
  const passwords = new Set<string | undefined>();
  for (const single of splitHosts(info)) {
    const key = {
      host: passwordHost(single),
      port: single.port ?? portDefault,
      dbname: physical ? 'replication' : (info.dbname ?? ''),
      user: info.user ?? '',
    };
    passwords.add(await lookUpPassword(file, key, options.onNote));
  }
  return passwords.size === 1 ? [...passwords][0] : undefined;
}

/** Password files know the default socket directory as `localhost`. */
function passwordHost(info: ConnInfo): string {
  const host = info.host ?? info.hostaddr ?? '';
  return host === '' || (socketDirectories as readonly string[]).includes(host) ? 'localhost' : host;
}

function textValues(keywords: Readonly<Record<string, unknown>>): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [keyword, value] of Object.entries(keywords)) {
    if (value === null || value === undefined) continue;
    values[keyword] = textValue(keyword, value);
  }
  return values;
}

function textValue(keyword: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw conninfoError(`connection parameter "${keyword}" must be text`);
}

function withoutEmpty(info: ConnInfo): ConnInfo {
  return Object.fromEntries(Object.entries(info).filter(([, value]) => value !== ''));
}

function given(keyword: string, value: string | undefined): ConnInfo {
  return value === undefined || value === '' ? {} : { [keyword]: value };
}

function checkCount(what: string, have: number, want: number): void {
  if (have !== want) throw conninfoError(`connection parameters: cannot match ${what}: ${have} and ${want}`);
}
