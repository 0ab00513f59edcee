import { ago } from '../../../lib/time-in-words.ts';
import { type Finding, failure, note, ok, warning } from '../finding.ts';
import { type ArchiveCommand, parseArchiveCommand } from './archive-command.ts';
import type { ReadyWal } from './ready-wal.ts';
import type { ArchiverFacts, ServerFacts } from './server-facts.ts';
import { alterSystem } from './sql-text.ts';

/** What the server is to say. */
export interface WantedArchiving {
  readonly site: string;
  /** Where the daemon of this configuration is reached from its own host. */
  readonly host: string;
  readonly port: number;
  /** The value of `archive_command` that is right here. */
  readonly command: string;
  /** Whether the daemon asks for credentials. */
  readonly wantsCredentials: boolean;
}

/** Archiving is tried again each minute at the latest. */
const waitMsMax = 5 * 60_000;

type ArchivingFacts = Pick<ServerFacts, 'settings' | 'isStandby' | 'archiver'>;

/** For sites whose WAL comes by archive_command. */
export function judgeArchiving({ settings, isStandby, archiver }: ArchivingFacts, wanted: WantedArchiving, now: Date): Finding[] {
  const mode = settings.get('archive_mode') ?? 'off';
  return [
    judgeMode(mode, isStandby),
    ...judgeCommandSettings(settings, wanted),
    judgeTimeout(settings.get('archive_timeout')),
    ...(archiver === undefined || mode === 'off' || (isStandby && mode === 'on') ? [] : [judgeArchiver(archiver, now)]),
  ];
}

/** For sites whose WAL is received: archive_command is somebody else's business. */
export function judgeForeignArchiving(settings: ReadonlyMap<string, string>, site: string): Finding[] {
  const command = parseArchiveCommand(settings.get('archive_command') ?? '');
  if ((settings.get('archive_mode') ?? 'off') === 'off' || !('site' in command) || command.site !== site) return [];
  return [
    note(
      'archive-command',
      `archive_command sends the WAL to this site, too, which receives it already: it is stored once, but offered twice`,
      ...alterSystem('archive_command', '', 'at once'),
    ),
  ];
}

function judgeMode(mode: string, isStandby: boolean): Finding {
  if (mode === 'always') return ok('archive-mode', 'archive_mode is always');
  if (mode === 'on' && isStandby) return note('archive-mode', 'archive_mode is on: this standby archives nothing until it is promoted');
  if (mode === 'on') return ok('archive-mode', 'archive_mode is on');
  return failure('archive-mode', `archive_mode is ${mode}: no WAL is archived`, ...alterSystem('archive_mode', 'on', 'after a restart'));
}

function judgeCommandSettings(settings: ReadonlyMap<string, string>, wanted: WantedArchiving): Finding[] {
  const library = settings.get('archive_library') ?? '';
  if (library !== '') {
    const remedy = alterSystem('archive_library', '', 'at once');
    return [failure('archive-command', 'archive_library is set, so that archive_command is not used', ...remedy)];
  }
  const text = settings.get('archive_command');
  if (text === undefined) return [note('archive-command', 'archive_command cannot be read with this role', 'GRANT pg_read_all_settings')];
  return judgeCommand(parseArchiveCommand(text), wanted);
}

function judgeCommand(command: ArchiveCommand, wanted: WantedArchiving): Finding[] {
  const remedy = alterSystem('archive_command', wanted.command, 'at once');
  const bad = (why: string) => [failure('archive-command', why, ...remedy)];
  switch (command.kind) {
    case 'none':
      return bad('archive_command is empty: WAL waits in pg_wal for ever');
    case 'idle':
      return bad(
        command.succeeds
          ? 'archive_command always succeeds: WAL is thrown away'
          : 'archive_command always fails: WAL waits in pg_wal for ever',
      );
    case 'other': {
      const text = `archive_command runs ${command.program}, of which nothing is known here; it is right if that hands the file to pghoard and tells of failures`;
      return [warning('archive-command', text, ...remedy)];
    }
    case 'http': {
      if (command.site !== wanted.site) return bad(otherSite(command.site, wanted.site));
      if (!command.isWholeName) return bad('archive_command asks for no file: its URL must end in %f');
      if (command.port !== undefined && command.port !== wanted.port) return bad(otherPort(command.port, wanted.port));
      return [ok('archive-command', `archive_command asks the daemon for site ${wanted.site}`)];
    }
    case 'ours':
      return judgeOurs(command, wanted, bad);
  }
}

function judgeOurs(
  command: Extract<ArchiveCommand, { kind: 'ours' }>,
  wanted: WantedArchiving,
  bad: (why: string) => Finding[],
): Finding[] {
  const { site, mode, file, port, host, hasCredentials } = command;
  if (mode !== 'archive') return bad(`archive_command has ${mode === undefined ? 'no --mode' : `--mode ${mode}`}, which must be archive`);
  if (site === undefined) return bad('archive_command has no --site');
  if (site !== wanted.site) return bad(otherSite(site, wanted.site));
  if (file !== '%f' && file !== '%p') return bad('archive_command must have --xlog %f');
  if (port !== wanted.port) return bad(otherPort(port, wanted.port));
  if (isLocal(host) && !isLocal(wanted.host)) return bad(`archive_command asks at ${host}, but the daemon listens at ${wanted.host} only`);
  const where = isLocal(host) ? '' : ` at ${host}`;
  const right = ok('archive-command', `archive_command hands WAL to the daemon${where} for site ${site}`);
  if (!wanted.wantsCredentials || hasCredentials) return [right];
  const text =
    'the daemon wants webserver_username and webserver_password, which archive_command does not give; they may come from the environment of the server';
  return [right, note('archive-credentials', text, 'PGHOARD_USERNAME and PGHOARD_PASSWORD in the environment of the server')];
}

function isLocal(host: string): boolean {
  return ['127.0.0.1', 'localhost', '::1', '[::1]'].includes(host);
}

function otherSite(site: string, wanted: string): string {
  return `archive_command archives for the site ${site}, not for ${wanted}`;
}

function otherPort(port: number, wanted: number): string {
  return `archive_command asks at port ${port}, but the daemon listens at ${wanted}`;
}

export function judgeTimeout(seconds: string | undefined): Finding {
  if (seconds === undefined || Number(seconds) > 0) return ok('archive-timeout', `archive_timeout is ${seconds ?? '?'} s`);
  const text = 'archive_timeout is 0: on a quiet server the last changes are not archived until a whole segment is full';
  return note('archive-timeout', text, ...alterSystem('archive_timeout', '60s', 'at once'));
}

export function judgeArchiver({ archived, lastArchived, lastArchivedAt, lastFailed, lastFailedAt }: ArchiverFacts, now: Date): Finding {
  if (lastFailedAt !== undefined && (lastArchivedAt === undefined || lastFailedAt > lastArchivedAt)) {
    const since = lastArchivedAt === undefined ? 'nothing was ever archived' : `nothing was archived since ${ago(lastArchivedAt, now)}`;
    const text = `archiving fails: ${lastFailed ?? 'a segment'} was refused ${ago(lastFailedAt, now)}, ${since}`;
    return failure('archiver', text, "the log of PostgreSQL has the command's message: look for pghoard_postgres_command");
  }
  if (lastArchivedAt === undefined) return note('archiver', 'nothing was archived yet', 'SELECT pg_switch_wal();');
  return ok('archiver', `${archived} files archived, the last one (${lastArchived ?? '?'}) ${ago(lastArchivedAt, now)}`);
}

/** Beside what the server counts: of a command that cannot be started it counts nothing. */
export function judgeReadyWal({ files, oldest }: ReadyWal, now: Date): Finding {
  if (files === 0 || oldest === undefined) return ok('waiting', 'no WAL waits in pg_wal to be archived');
  const text = `${files} WAL files wait in pg_wal to be archived, the oldest from ${ago(oldest, now)}`;
  if (now.getTime() - oldest.getTime() <= waitMsMax) return ok('waiting', text);
  return failure(
    'waiting',
    text,
    'the log of PostgreSQL tells what archive_command says; without a word of it archiving is not even tried',
  );
}
