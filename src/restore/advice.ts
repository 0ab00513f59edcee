import type { ExistingSettings } from './recovery-settings.ts';
import { parseSettings } from './settings-text.ts';

export interface RestoredCluster {
  readonly dataDirectory: string;
  readonly site: string;
  readonly settings: ExistingSettings;
  readonly hasPostgresqlConf: boolean;
  /** Symlinks of the source that lead out of the data directory. */
  readonly outsideLinks: readonly { readonly path: string; readonly target: string }[];
  /** User id of the files, where nobody has it on this machine. */
  readonly unknownOwner: number | undefined;
}

const pathSettings = ['data_directory', 'hba_file', 'ident_file', 'external_pid_file', 'ssl_cert_file', 'ssl_key_file'];

/** What an operator should look at before the first start, each with what to do about it. */
export function adviceFor(cluster: RestoredCluster): string[] {
  const settings = new Map([...parseSettings(cluster.settings.postgresqlConf), ...parseSettings(cluster.settings.autoConf)]);
  return [...configMissing(cluster), ...archiving(settings, cluster), ...paths(settings), ...links(cluster), ...owner(cluster)];
}

/** The zone in which the source's log speaks. */
export function sourceTimeZone({ postgresqlConf, autoConf }: ExistingSettings): string | undefined {
  const settings = new Map([...parseSettings(postgresqlConf), ...parseSettings(autoConf)]);
  return settings.get('log_timezone') ?? settings.get('timezone');
}

function configMissing({ hasPostgresqlConf, dataDirectory }: RestoredCluster): string[] {
  if (hasPostgresqlConf) return [];
  return [
    `The backup holds no postgresql.conf: the source kept it outside its data directory, as Debian does in /etc/postgresql. ` +
      `Put one (and pg_hba.conf) into ${dataDirectory}, or start the server with "-c config_file=FILE".`,
  ];
}

function archiving(settings: ReadonlyMap<string, string>, { site }: RestoredCluster): string[] {
  const command = settings.get('archive_command') ?? '';
  if (command === '' || (settings.get('archive_mode') ?? 'off') === 'off') return [];
  return [
    `The source's archive_command came along (${shortened(command)}). Once promoted, this server would archive into the same place as the source` +
      `${command.includes(site) ? ` (site ${site})` : ''}: set archive_mode = off, or give it a site of its own, unless it replaces the source.`,
  ];
}

function paths(settings: ReadonlyMap<string, string>): string[] {
  const absolute = pathSettings.filter((name) => settings.get(name)?.startsWith('/'));
  if (absolute.length === 0) return [];
  return [
    `These settings came along and name files outside of the restored directory: ${absolute.map((name) => `${name} = ${settings.get(name)}`).join(', ')}.`,
  ];
}

function links({ outsideLinks }: RestoredCluster): string[] {
  return outsideLinks.map(
    ({ path, target }) => `${path} is a symbolic link to ${target}, as at the source. What lies there is not part of the backup.`,
  );
}

function owner({ unknownOwner, dataDirectory }: RestoredCluster): string[] {
  if (unknownOwner === undefined) return [];
  return [
    `The files belong to user id ${unknownOwner}, as at the source, which nobody has on this machine. ` +
      `Before the start: chown -R postgres: ${dataDirectory} (and the directories of its tablespaces).`,
  ];
}

function shortened(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
