/** `name = value` lines of a postgresql.conf, postgresql.auto.conf or recovery.conf (src/backend/utils/misc/guc-file.l). */
const settingLine = /^\s*(?<name>[A-Za-z_][\w$.]*)\s*(?:=\s*|\s+)(?<value>'(?:[^'\\]|\\.|'')*'|[^\s#']+)/;

/** The settings of such a file, by name in lower case; of repeated ones the last counts, as for PostgreSQL. Includes are not followed. */
export function parseSettings(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of text.split('\n')) {
    const groups = settingLine.exec(line)?.groups;
    if (groups) settings.set((groups['name'] ?? '').toLowerCase(), unquote(groups['value'] ?? ''));
  }
  return settings;
}

/** Turns the lines that set one of `names` into comments that tell why, and leaves the others as they are. */
export function commentOut(text: string, names: ReadonlySet<string>): string {
  return text
    .split('\n')
    .map((line) => {
      const name = settingLine.exec(line)?.groups?.['name']?.toLowerCase();
      return name !== undefined && names.has(name) ? `# set aside by pghoard_restore: ${line}` : line;
    })
    .join('\n');
}

export function formatSetting(name: string, value: string): string {
  const escaped = value.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return `${name} = '${escaped}'`;
}

function unquote(value: string): string {
  if (!value.startsWith("'")) return value;
  return value
    .slice(1, -1)
    .replace(/''|\\([0-7]{1,3}|[\s\S])/g, (match, escaped?: string) => (match === "''" ? "'" : unescaped(escaped ?? '')));
}

function unescaped(text: string): string {
  if (/^[0-7]/.test(text)) return String.fromCharCode(Number.parseInt(text, 8) & 0xff);
  return { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }[text] ?? text;
}
