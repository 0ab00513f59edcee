import { basename } from 'node:path';

/** What an `archive_command` is seen to do. Nothing else of it is ever shown: it may hold a password. */
export type ArchiveCommand =
  | { readonly kind: 'none' }
  | {
      /** pghoard_postgres_command. */
      readonly kind: 'ours';
      readonly program: string;
      readonly site: string | undefined;
      readonly host: string;
      readonly port: number;
      readonly mode: string | undefined;
      readonly file: string | undefined;
      readonly hasCredentials: boolean;
    }
  /** Some client of HTTP that asks the daemon. */
  | { readonly kind: 'http'; readonly site: string; readonly port: number | undefined; readonly isWholeName: boolean }
  /** Nothing: it always succeeds, so that WAL is thrown away, or always fails. */
  | { readonly kind: 'idle'; readonly succeeds: boolean }
  | { readonly kind: 'other'; readonly program: string };

const ourProgram = 'pghoard_postgres_command';
const defaults = { host: '127.0.0.1', port: 16_000 };
/** What ends a command of the shell. */
const separators = new Set([';', '&&', '||', '|', '&', '\n']);

export function parseArchiveCommand(text: string): ArchiveCommand {
  const words = shellWords(text);
  if (words.length === 0 || text.trim() === '(disabled)') return { kind: 'none' };
  const at = words.findIndex((word) => basename(word) === ourProgram);
  if (at >= 0) return parseOurs(words, at);
  const url = /https?:\/\/[^\s"'/]*?(?::(\d+))?\/([^\s"'/]+)\/archive\/(%f|"?%f"?)?/.exec(text);
  if (url) {
    const [, port, site = '', file] = url;
    return { kind: 'http', site: decoded(site), port: port === undefined ? undefined : Number(port), isWholeName: file !== undefined };
  }
  const program = words.find((word) => !isAssignment(word)) ?? '';
  const isIdle = /^(true|false|:|exit)$/.test(basename(program)) && words.length <= 2;
  return isIdle ? { kind: 'idle', succeeds: succeeds(basename(program), words.at(1)) } : { kind: 'other', program };
}

function succeeds(program: string, argument: string | undefined): boolean {
  return program === 'exit' ? Number(argument ?? 0) === 0 : program !== 'false';
}

function parseOurs(words: readonly string[], at: number): ArchiveCommand {
  const flags = flagsOf(words.slice(at + 1));
  const hasCredentials = flags.has('username') || words.slice(0, at).some((word) => word.startsWith('PGHOARD_USERNAME='));
  return {
    kind: 'ours',
    program: words[at] ?? ourProgram,
    site: flags.get('site'),
    host: flags.get('host') ?? defaults.host,
    port: Number(flags.get('port') ?? defaults.port),
    mode: flags.get('mode'),
    file: flags.get('xlog'),
    hasCredentials,
  };
}

/** As the client takes them: one dash or two, a value behind a space or `=`. */
function flagsOf(words: readonly string[]): Map<string, string> {
  const flags = new Map<string, string>();
  for (let at = 0; at < words.length && !separators.has(words[at] ?? ''); at++) {
    const [, name = '', value] = /^--?([a-z-]+)(?:=(.*))?$/.exec(words[at] ?? '') ?? [];
    if (name === '') continue;
    flags.set(name, value ?? words[++at] ?? '');
  }
  return flags;
}

/** Words as `sh` would cut them, without what it would put in for variables and commands. */
function shellWords(text: string): string[] {
  const words: string[] = [];
  const word = /\s*(?:(&&|\|\||[;|&\n])|((?:'[^']*'|"(?:\\[^]|[^"\\])*"|\\[^]|[^\s'";|&\\])+)|([^]))/y;
  for (let found = word.exec(text); found; found = word.exec(text)) {
    const [, separator, quoted] = found;
    if (separator !== undefined) words.push(separator);
    else if (quoted !== undefined) words.push(unquoted(quoted));
  }
  return words;
}

function unquoted(word: string): string {
  return word.replaceAll(
    /'([^']*)'|"((?:\\[^]|[^"\\])*)"|\\([^])/g,
    (_, single?: string, double?: string, escaped?: string) => single ?? double?.replaceAll(/\\([$`"\\])/g, '$1') ?? escaped ?? '',
  );
}

function isAssignment(word: string): boolean {
  return /^[A-Za-z_]\w*=/.test(word);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
