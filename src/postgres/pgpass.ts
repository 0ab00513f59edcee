import { readFile, stat } from 'node:fs/promises';
import { systemErrorCode } from '../lib/errors.ts';

/** What a line of a password file is looked up by. */
export interface PasswordKey {
  readonly host: string;
  readonly port: string;
  /** `replication` for physical replication connections. */
  readonly dbname: string;
  readonly user: string;
}

/**
 * The password of the first matching line `host:port:dbname:user:password` of a libpq password file. A file that is missing, no plain
 * file or open to others than its owner counts as empty; `onNote` is told why, except for a missing one.
 */
export async function lookUpPassword(
  file: string,
  key: PasswordKey,
  onNote: (note: string) => void = () => {},
): Promise<string | undefined> {
  const unfit = await whyUnfit(file);
  if (unfit !== undefined) {
    if (unfit !== 'missing') onNote(`password file ${file} is ignored: ${unfit}`);
    return undefined;
  }
  return findPassword(await readFile(file, 'utf8'), key);
}

/** As {@link lookUpPassword}, in the text of a password file. */
export function findPassword(text: string, key: PasswordKey): string | undefined {
  const wanted = [key.host, key.port, key.dbname, key.user];
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue;
    const password = passwordOf(line, wanted);
    if (password !== undefined && password !== '') return password;
  }
  return undefined;
}

function passwordOf(line: string, wanted: readonly string[]): string | undefined {
  let rest = line;
  for (const value of wanted) {
    const field = /^(?:\\[^]|[^:\\])*:/.exec(rest)?.[0];
    if (field === undefined) return undefined;
    const pattern = field.slice(0, -1);
    if (pattern !== '*' && unescape(pattern) !== value) return undefined;
    rest = rest.slice(field.length);
  }
  return unescape(rest);
}

function unescape(text: string): string {
  return text.replaceAll(/\\([^])/g, '$1');
}

async function whyUnfit(file: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(file);
    if ((mode & 0o170_000) !== 0o100_000) return 'it is not a plain file';
    if ((mode & 0o077) !== 0) return 'others than its owner have access to it; its mode should be 0600';
    return undefined;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing';
    return code ?? 'it cannot be read';
  }
}
