import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import type { Config } from '../../config/load.ts';
import { systemErrorCode } from '../../lib/errors.ts';
import { type FileModes, type FileUser, fileUserOf, mayAccess, modesOf, octal, whyNotExecutable } from './file-access.ts';
import { about, type Finding, failure, note, ok, warning } from './finding.ts';
import type { ArchiveCommand } from './postgres/archive-command.ts';

/** A directory that the daemon writes to. */
export interface DirectoryFacts {
  readonly path: string;
  /** Which settings name it. */
  readonly setting: string;
  /** Undefined: it does not exist. A text: why it cannot be looked at. */
  readonly modes: (FileModes & { readonly isDirectory: boolean }) | string | undefined;
  /** Whether the daemon may write there; undefined where it is not there. */
  readonly isWritable: boolean | undefined;
  /** Whether it could make it. */
  readonly canBeMade: boolean;
}

/** The directories that the daemon writes to. `owner`: whom it runs as, where it is not whoever runs this. */
export async function checkDirectories(config: Config, owner: number | undefined): Promise<Finding[]> {
  const user = await daemonUser(owner);
  const wanted = [
    ['backup_location', config.backup_location],
    ['json_state_file_path', dirname(config.json_state_file_path)],
    ['alert_file_dir', config.alert_file_dir],
  ] as const;
  const settings = new Map<string, string[]>();
  for (const [setting, path] of wanted) if (path !== null) settings.set(path, [...(settings.get(path) ?? []), setting]);
  const findings: Finding[] = [];
  for (const [path, names] of settings) findings.push(judgeDirectory(await lookAt(path, names.join(', '), user), user.name));
  return [...findings, await checkMaintenance(config.maintenance_mode_file)];
}

export function judgeDirectory({ path, setting, modes, isWritable, canBeMade }: DirectoryFacts, user: string): Finding {
  const make = `install -d -o ${user} -m 700 ${path}`;
  const name = `${setting} ${path}`;
  if (typeof modes === 'string') return about(name, failure('directory', modes, `chown ${user} ${path}`));
  if (modes === undefined) {
    if (canBeMade) return about(name, ok('directory', 'does not exist yet; the daemon makes it'));
    return about(name, failure('directory', `does not exist, and ${user} cannot make it`, make));
  }
  if (!modes.isDirectory) return about(name, failure('directory', 'is not a directory', make));
  if (isWritable) return about(name, ok('directory', `${user} may write there`));
  return about(name, failure('directory', `${user} may not write there (mode ${octal(modes.mode)})`, `chown ${user} ${path}`));
}

/** Whether the user that PostgreSQL runs as can start the program of `archive_command`. */
export async function checkArchiveProgram(command: ArchiveCommand, postgresUid: number): Promise<Finding[]> {
  if (command.kind !== 'ours' && command.kind !== 'other') return [];
  const { program } = command;
  if (!isAbsolute(program)) {
    return [
      about(
        program,
        note(
          'archive-program',
          'archive_command does not name it by its full path; PostgreSQL has to find it in a PATH of its own',
          'name it by its full path',
        ),
      ),
    ];
  }
  const user = await fileUserOf(postgresUid);
  const why = await whyNotExecutable(program, user);
  return [about(program, judgeArchiveProgram(why, user.name, process.geteuid?.() === postgresUid))];
}

/** `why`: it cannot be run. What we may not look at says nothing about what others may, unless they are who we are. */
function judgeArchiveProgram(why: string | undefined, user: string, isOurself: boolean): Finding {
  if (why === undefined) return ok('archive-program', `${user}, whom PostgreSQL runs as, may run it`);
  if (why.includes('cannot be looked at') && !isOurself)
    return note('archive-program', `whether PostgreSQL can run it is not known: ${why}`);
  const remedy = `install pghoard where ${user} may read it, or correct archive_command`;
  return failure('archive-program', `PostgreSQL cannot run it: ${why}`, remedy);
}

async function lookAt(path: string, setting: string, user: FileUser): Promise<DirectoryFacts> {
  const found = await stat(path).catch((error: unknown) => systemErrorCode(error) ?? 'unknown error');
  if (found === 'ENOENT') return { path, setting, modes: undefined, isWritable: undefined, canBeMade: await canMake(dirname(path), user) };
  if (typeof found === 'string') return { path, setting, modes: `cannot be looked at (${found})`, isWritable: false, canBeMade: false };
  const { uid, gid, mode } = found;
  return {
    path,
    setting,
    modes: { uid, gid, mode, isDirectory: found.isDirectory() },
    isWritable: await mayWrite(path, found, user),
    canBeMade: false,
  };
}

async function canMake(directory: string, user: FileUser): Promise<boolean> {
  const found = await modesOf(directory);
  if (found === 'does not exist') return dirname(directory) !== directory && canMake(dirname(directory), user);
  return typeof found !== 'string' && mayWrite(directory, found, user);
}

/** The system knows best about ourselves; of others only the modes tell. */
async function mayWrite(path: string, modes: FileModes, user: FileUser): Promise<boolean> {
  if (user.uid !== process.geteuid?.()) return mayAccess(user, modes, 'write') && mayAccess(user, modes, 'execute');
  return access(path, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Root may do everything, so what it may do says nothing: then it is about the user who owns the data directory. */
async function daemonUser(owner: number | undefined): Promise<FileUser> {
  const uid = process.geteuid?.() ?? 0;
  return fileUserOf(uid === 0 && owner !== undefined ? owner : uid);
}

async function checkMaintenance(file: string): Promise<Finding> {
  const found = await modesOf(file);
  if (found === 'does not exist') return ok('maintenance', 'maintenance mode is off');
  if (typeof found === 'string') return about(file, warning('maintenance', found));
  return warning('maintenance', `maintenance mode is on: no base backup is begun while ${file} exists`, `rm ${file}`);
}
