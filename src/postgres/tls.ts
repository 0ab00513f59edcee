import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, checkServerIdentity, getCACertificates, type SecureVersion } from 'node:tls';
import { OperatorError } from '../lib/errors.ts';
import { type ConnInfo, conninfoError } from './conninfo-keywords.ts';

/** One way of connecting: TLS with these options, or in the clear. */
export type Security = ConnectionOptions | 'clear';

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
type SslMode = (typeof sslModes)[number];

const tlsVersions: readonly string[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

/**
 * The ways to try, in their order, as libpq does by `sslmode`: `prefer` (the default) takes TLS where the server has it, `require`
 * trusts any certificate unless there is a root certificate to check it with. Unix sockets are never encrypted.
 */
export async function securitiesToTry(info: ConnInfo): Promise<readonly Security[]> {
  if (isSocket(info)) return ['clear'];
  const mode = sslModeOf(info);
  switch (mode) {
    case 'disable':
      return ['clear'];
    case 'allow':
      return ['clear', await tlsOptions(info, mode)];
    case 'prefer':
      return [await tlsOptions(info, mode), 'clear'];
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return [await tlsOptions(info, mode)];
  }
}

function isSocket(info: ConnInfo): boolean {
  return info['hostaddr'] === undefined && (info['host'] ?? '').startsWith('/');
}

function sslModeOf(info: ConnInfo): SslMode {
  const system = info['sslrootcert'] === 'system';
  const text = info['sslmode'] ?? (system ? 'verify-full' : info['requiressl'] === '1' ? 'require' : 'prefer');
  const mode = sslModes.find((known) => known === text);
  if (mode === undefined) throw conninfoError(`sslmode "${text}" is none of ${sslModes.join(', ')}`);
  if (system && mode !== 'verify-full') {
    throw conninfoError(
      `sslmode ${mode} is too weak for sslrootcert=system`,
      'Anybody can have a certificate from a public authority. Use sslmode=verify-full.',
    );
  }
  return mode;
}

async function tlsOptions(info: ConnInfo, mode: SslMode): Promise<ConnectionOptions> {
  const authorities = await rootCertificates(info, mode);
  const server = info['host'] ?? info['hostaddr'] ?? '';
  return {
    ...(authorities === undefined ? { rejectUnauthorized: false } : { ca: authorities, rejectUnauthorized: true }),
    // Only verify-full asks whether the certificate is for this very host.
    checkServerIdentity: mode === 'verify-full' ? (_, certificate) => checkServerIdentity(server, certificate) : () => undefined,
    ...(isIP(server) === 0 ? { servername: server } : {}),
    ...(await clientCertificate(info)),
    ...(info['sslcrl'] === undefined ? {} : { crl: await readGiven('sslcrl', info['sslcrl']) }),
    minVersion: tlsVersion(info, 'ssl_min_protocol_version') ?? 'TLSv1.2',
    ...maxVersion(tlsVersion(info, 'ssl_max_protocol_version')),
  };
}

/** What to check the server's certificate with; `undefined`: any is good enough. */
async function rootCertificates(info: ConnInfo, mode: SslMode): Promise<string | string[] | undefined> {
  const given = info['sslrootcert'];
  if (given === 'system') return getCACertificates('system');
  const mustVerify = mode === 'verify-ca' || mode === 'verify-full';
  if (mode === 'allow' || mode === 'prefer') return undefined;
  if (given !== undefined) return readGiven('sslrootcert', given);
  const standard = homeFile('root.crt');
  const found = await readIfThere(standard);
  if (found === undefined && mustVerify) {
    throw conninfoError(
      `sslmode ${mode} needs a root certificate, and there is no ${standard}`,
      'Set sslrootcert to the file of the authority that signed the server’s certificate, or to "system".',
    );
  }
  return found;
}

async function clientCertificate(info: ConnInfo): Promise<ConnectionOptions> {
  if (info['sslcertmode'] === 'disable') return {};
  const given = info['sslcert'];
  const cert = given === undefined ? await readIfThere(homeFile('postgresql.crt')) : await readGiven('sslcert', given);
  if (cert === undefined) return {};
  const key = await readGiven('sslkey', info['sslkey'] ?? homeFile('postgresql.key'));
  const password = info['sslpassword'];
  return { cert, key, ...(password === undefined ? {} : { passphrase: password }) };
}

function tlsVersion(info: ConnInfo, keyword: string): SecureVersion | undefined {
  const text = info[keyword];
  if (text === undefined) return undefined;
  if (!tlsVersions.includes(text)) throw conninfoError(`${keyword} "${text}" is none of ${tlsVersions.join(', ')}`);
  return text as SecureVersion;
}

function maxVersion(version: SecureVersion | undefined): ConnectionOptions {
  return version === undefined ? {} : { maxVersion: version };
}

function homeFile(name: string): string {
  return join(homedir(), '.postgresql', name);
}

async function readGiven(keyword: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new OperatorError('postgres-tls', `cannot read the ${keyword} file ${path}`, { cause: error });
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw new OperatorError('postgres-tls', `cannot read ${path}`, { cause: error });
  });
}
