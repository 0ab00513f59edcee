import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';
import { type ConnInfo, checkKeywords, conninfoError } from './conninfo-keywords.ts';

export interface ServiceLookup {
  /** The keyword `servicefile` or PGSERVICEFILE: read instead of the one in the home directory. */
  readonly file: string | undefined;
  readonly home: string;
  /** PGSYSCONFDIR, or where this build's libpq would look. */
  readonly systemDirectory: string;
}

/** The parameters of a service, looked for where libpq does: the user's file first, then the system's. */
export async function lookUpService(service: string, where: ServiceLookup): Promise<ConnInfo> {
  const files = [where.file ?? join(where.home, '.pg_service.conf'), join(where.systemDirectory, 'pg_service.conf')];
  for (const [index, file] of files.entries()) {
    const text = await readIfThere(file, index === 0 && where.file !== undefined);
    const found = text === undefined ? undefined : findService(text, service, file);
    if (found !== undefined) return found;
  }
  throw new OperatorError('conninfo-invalid', `definition of service "${service}" not found`, {
    hint: `Looked in ${files.join(' and ')}.`,
  });
}

/** The parameters in section `[service]` of the text of a service file; the first of repeated keywords counts. */
export function findService(text: string, service: string, file: string): ConnInfo | undefined {
  let found: Record<string, string> | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('[')) {
      if (found !== undefined) break;
      if (line === `[${service}]`) found = {};
      continue;
    }
    if (found !== undefined) addParameter(found, line, `${file}, line ${index + 1}`);
  }
  return found;
}

function addParameter(found: Record<string, string>, line: string, where: string): void {
  const equals = line.indexOf('=');
  if (line.startsWith('ldap')) throw conninfoError(`${where}: services in LDAP are not supported`);
  if (equals <= 0) throw conninfoError(`${where}: not of the form keyword=value`);
  const keyword = line.slice(0, equals);
  if (keyword === 'service' || keyword === 'servicefile') throw conninfoError(`${where}: a service cannot name another service`);
  try {
    checkKeywords({ [keyword]: '' });
  } catch (error) {
    throw new OperatorError('conninfo-invalid', `${where}: bad service file`, { cause: error });
  }
  found[keyword] ??= line.slice(equals + 1);
}

async function readIfThere(file: string, needed: boolean): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT' && !needed) return undefined;
    throw new OperatorError('conninfo-invalid', `cannot read service file ${file}`, { cause: error });
  }
}
