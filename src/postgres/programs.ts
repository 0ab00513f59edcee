import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { messageOf, OperatorError } from '../lib/errors.ts';
import { runProgram } from '../lib/subprocess.ts';
import { majorOf, parseVersionNumber } from './versions.ts';

export type ProgramName =
  | 'pg_amcheck'
  | 'pg_basebackup'
  | 'pg_checksums'
  | 'pg_controldata'
  | 'pg_receivewal'
  | 'pg_verifybackup'
  | 'pg_waldump'
  | 'postgres'
  | 'psql';

/** Where to look for a program, and for which server. */
export interface ProgramSearch {
  /** A path configured for the site, such as `pg_basebackup_path`; taken before anything else. */
  readonly sitePath?: string | undefined;
  /** The same setting for all sites. */
  readonly globalPath?: string | undefined;
  /** `pg_bin_directory`: looked into instead of the directories that distributions use. */
  readonly binDirectory?: string | undefined;
  /** The server's major version: older programs cannot talk to it. */
  readonly major?: string | undefined;
  /** `PATH`; that of the process by default. */
  readonly searchPath?: string | undefined;
  /** How long a program may take to tell its version. */
  readonly answerMsMax?: number | undefined;
}

const answerMsMaxDefault = 10_000;

export interface Program {
  readonly path: string;
  readonly version: number;
}

const tooOld = 'is of PostgreSQL ';

/** Newest first. */
const knownMajors = ['18', '17', '16', '15', '14', '13', '12', '11', '10', '9.6', '9.5', '9.4', '9.3'] as const;

/** Names before PostgreSQL 10. */
const formerNames: Partial<Record<ProgramName, string>> = { pg_receivewal: 'pg_receivexlog' };

/**
 * Finds a PostgreSQL program: the configured path, else the bin directory or the usual places, else `PATH`. One of the server's own major
 * version is preferred; newer ones work with older servers, older ones do not. Throws `program-missing`, or `program-too-old` where there are
 * only such, saying where it looked.
 */
export async function findProgram(name: ProgramName, where: ProgramSearch): Promise<Program> {
  const configured = where.sitePath ?? where.globalPath;
  if (configured !== undefined) return checkConfigured(name, configured, where);

  const tried: string[] = [];
  let newer: Program | undefined;
  for (const path of candidates(name, where)) {
    const program = await examine(path, where.answerMsMax).catch((error: unknown) => void tried.push(`${path}: ${messageOf(error)}`));
    if (!program) continue;
    const age = compareMajor(program.version, where.major);
    if (age === 0) return program;
    if (age > 0) newer ??= program;
    tried.push(`${path}: ${tooOld}${majorOf(program.version)}`);
  }
  return newer ?? missing(name, where, tried);
}

async function checkConfigured(name: ProgramName, path: string, { major, answerMsMax }: ProgramSearch): Promise<Program> {
  const program = await examine(path, answerMsMax).catch((error: unknown) => {
    throw new OperatorError('program-missing', `cannot use ${path} as ${name}`, {
      cause: error,
      hint: `Correct ${name}_path, or remove it to have ${name} searched for.`,
    });
  });
  if (compareMajor(program.version, major) < 0) {
    throw new OperatorError(
      'program-too-old',
      `${path} is of PostgreSQL ${majorOf(program.version)}, too old for a server of version ${major}`,
      {
        hint: `Install ${name} of PostgreSQL ${major} and set ${name}_path to it.`,
      },
    );
  }
  return program;
}

/** Without a wanted version everything fits. */
function compareMajor(version: number, wanted: string | undefined): number {
  if (wanted === undefined) return 0;
  return parseVersionNumber(majorOf(version)) - parseVersionNumber(wanted);
}

function candidates(name: ProgramName, where: ProgramSearch): string[] {
  const names = [name, ...(formerNames[name] === undefined ? [] : [formerNames[name]])];
  const directories = where.binDirectory === undefined ? usualDirectories(where.major) : [where.binDirectory];
  const searchPath = (where.searchPath ?? process.env['PATH'] ?? '').split(':').filter((directory) => isAbsolute(directory));
  return [...new Set([...directories, ...searchPath, '/usr/bin'].flatMap((directory) => names.map((file) => join(directory, file))))];
}

/** Red Hat's and Debian's, that of the wanted version first. */
function usualDirectories(major: string | undefined): string[] {
  const majors = new Set([...(major === undefined ? [] : [major]), ...knownMajors]);
  return [...majors].flatMap((version) => [`/usr/pgsql-${version}/bin`, `/usr/lib/postgresql/${version}/bin`]);
}

async function examine(path: string, msMax = answerMsMaxDefault): Promise<Program> {
  await access(path, constants.X_OK).catch((error: NodeJS.ErrnoException) => {
    throw new Error(error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 'is not there' : 'may not be run', { cause: error });
  });
  const { code, signal, stdout, stderr } = await runProgram(path, ['--version'], { msMax });
  if (signal === 'SIGKILL') throw new Error(`has not told its version within ${msMax / 1000} s`);
  const version = /\(PostgreSQL\) (.+)/.exec(stdout)?.[1];
  if (code !== 0 || version === undefined) throw new Error(`does not tell its version: ${(stderr || stdout).slice(0, 200).trim()}`);
  return { path, version: parseVersionNumber(version) };
}

function missing(name: ProgramName, where: ProgramSearch, tried: readonly string[]): never {
  const places = tried.filter((line) => !line.endsWith(': is not there'));
  const directories = new Set(candidates(name, where).map((path) => path.slice(0, path.lastIndexOf('/'))));
  const onlyOld = places.length > 0 && places.every((line) => line.includes(tooOld));
  throw new OperatorError(
    onlyOld ? 'program-too-old' : 'program-missing',
    `cannot find ${name}${where.major === undefined ? '' : ` for PostgreSQL ${where.major}`}`,
    {
      cause: new Error([...places, `looked in ${[...directories].join(', ')}`].join('; ')),
      hint: `Install the PostgreSQL client programs${where.major === undefined ? '' : ` of version ${where.major} or later`}, or say where they are with pg_bin_directory or ${name}_path.`,
    },
  );
}
