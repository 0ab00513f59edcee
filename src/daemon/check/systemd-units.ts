/** A service of systemd, as far as it matters here. */
export interface Unit {
  /** `pghoard.service` */
  readonly name: string;
  /** `active`, `inactive`, `failed`, … */
  readonly active: string;
  /** `enabled`, `disabled`, …; empty where it has no file. */
  readonly enabled: string;
  /** `always`, `no`, … */
  readonly restart: string;
  /** `simple`, `notify`, … */
  readonly type: string;
  /** Which of its processes may tell systemd something: `none`, `main`, `exec`, `all`. */
  readonly notifyAccess: string;
  /** Empty: root. */
  readonly user: string;
  /** The words of each of its commands. */
  readonly commands: readonly (readonly string[])[];
}

/** Reads what `systemctl show` prints: one block of `Name=value` lines per unit, with an empty line between. */
export function parseUnits(text: string): Unit[] {
  return text
    .split(/\n\s*\n/)
    .map((block) => propertiesOf(block))
    .filter((properties) => properties.has('Id'))
    .map((properties) => ({
      name: properties.get('Id')?.[0] ?? '',
      active: properties.get('ActiveState')?.[0] ?? '',
      enabled: properties.get('UnitFileState')?.[0] ?? '',
      restart: properties.get('Restart')?.[0] ?? 'no',
      type: properties.get('Type')?.[0] ?? 'simple',
      notifyAccess: properties.get('NotifyAccess')?.[0] ?? 'none',
      user: properties.get('User')?.[0] ?? '',
      commands: (properties.get('ExecStart') ?? []).map(wordsOf),
    }));
}

function propertiesOf(block: string): Map<string, string[]> {
  const properties = new Map<string, string[]>();
  for (const line of block.split('\n')) {
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) properties.set(name, [...(properties.get(name) ?? []), value]);
  }
  return properties;
}

/** `{ path=/usr/bin/x ; argv[]=/usr/bin/x -a ; ignore_errors=no ; … }` */
function wordsOf(command: string): string[] {
  const argv = /argv\[\]=(.*?) ; (?:ignore_errors|flags)=/.exec(command)?.[1] ?? '';
  return argv.split(/\s+/).map((word) => word.replaceAll(/^["']|["']$/g, ''));
}
