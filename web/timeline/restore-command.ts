export interface RestoreWish {
  /** Null: the reader has to know it. */
  readonly configFile: string | null;
  readonly site: string;
  /** Milliseconds since 1970, of a whole second. */
  readonly targetMs: number;
  /** Where it is not the one that a restore follows by itself. */
  readonly timeline: number | undefined;
}

/** The command line, for a shell, that restores a site as it was at a second. */
export function restoreCommand({ configFile, site, targetMs, timeline }: RestoreWish): string {
  const time = new Date(targetMs).toISOString().slice(0, 19).replace('T', ' ');
  const flags = [
    flag('config', configFile ?? '/etc/pghoard.json'),
    flag('site', site),
    flag('target-dir', '/path/to/new/data/directory'),
    '--restore-to-primary',
    flag('recovery-target-time', `${time}+00:00`),
    ...(timeline === undefined ? [] : [flag('recovery-target-timeline', String(timeline))]),
  ];
  return ['pghoard_restore get-basebackup', ...flags].join(' \\\n    ');
}

/** What begins with a dash must not be taken for another option. */
function flag(name: string, value: string): string {
  return `--${name}${value.startsWith('-') ? '=' : ' '}${quoted(value)}`;
}

/** One word for any POSIX shell, whatever it holds. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
