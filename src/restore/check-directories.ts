import { constants, type Stats } from 'node:fs';
import { access, lstat, opendir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';
import { type ContentWishes, judgeContents } from './judge-contents.ts';
import type { TargetDirectory } from './target-directory.ts';

export type { TargetDirectory } from './target-directory.ts';

export interface CheckOptions extends ContentWishes {
  /** It may be made, parents and all. */
  readonly mayBeAbsent: boolean;
  /** Undefined where processes have no owner. */
  readonly uid: number | undefined;
}

/** Left by mkfs; no file system is empty without it. */
export const lostAndFound = 'lost+found';

/** Looks at what is there, touches nothing, and refuses what would harm or could not work. */
export async function checkDirectory(path: string, purpose: TargetDirectory['purpose'], options: CheckOptions): Promise<TargetDirectory> {
  const real = await resolveExisting(path);
  const there = await statIfThere(real);
  if (there === undefined) return absent(real, purpose, options);
  if (!there.isDirectory())
    throw refusal('target-not-a-directory', `${path} is not a directory`, `Choose another place for the ${purpose}.`);
  checkOwner(real, there, options);
  const names = await namesIn(real);
  if (purpose === 'data directory') await refuseRunningServer(real);
  await checkWritable(real, purpose);
  const state = judgeContents(path, purpose, names, options);
  if (state !== 'empty') await refuseMounts(real, there, names);
  return { path: real, purpose, state };
}

/** Refuses directories of which one is another or lies in another: emptying or filling one would hit the other. */
export function checkDisjoint(directories: readonly TargetDirectory[]): void {
  for (const outer of directories) {
    for (const inner of directories) {
      if (outer === inner || relative(outer.path, inner.path).startsWith('..')) continue;
      throw refusal(
        'target-overlap',
        `the ${inner.purpose} would go to ${inner.path}, which is or lies in the place for the ${outer.purpose}`,
        'Give it a directory of its own with --tablespace-dir NAME=DIRECTORY.',
      );
    }
  }
}

/** The path with links resolved as far as it exists. */
async function resolveExisting(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw unusable(path, error);
  }
  if ((await lstatIfThere(path))?.isSymbolicLink()) {
    throw refusal(
      'target-dangling-link',
      `${path} is a symbolic link to something that does not exist`,
      'Create what it points to, or remove it.',
    );
  }
  return join(await resolveExisting(dirname(path)), path.slice(dirname(path).length).replace(/^\/+/, ''));
}

async function absent(path: string, purpose: TargetDirectory['purpose'], options: CheckOptions): Promise<TargetDirectory> {
  if (!options.mayBeAbsent) {
    throw refusal(
      'target-missing',
      `the directory ${path} for the ${purpose} does not exist`,
      'Create it, or name another place with --tablespace-dir NAME=DIRECTORY or --tablespace-base-dir DIRECTORY.',
    );
  }
  await checkWritable(await existingAncestor(path), purpose);
  return { path, purpose, state: 'absent' };
}

/** The nearest directory above `path`, or `path` itself, that exists. */
export async function existingAncestor(path: string): Promise<string> {
  const there = await statIfThere(path);
  return there === undefined && path !== '/' ? existingAncestor(dirname(path)) : path;
}

function checkOwner(path: string, there: Stats, { uid }: CheckOptions): void {
  if (uid === undefined || uid === 0 || there.uid === uid) return;
  throw refusal(
    'target-not-owned',
    `${path} belongs to user ${there.uid}, and this is user ${uid}: PostgreSQL would refuse to start there`,
    'Run the restore as the owner of the directory, or as root.',
  );
}

/** Everything but `lost+found`, but no more than is needed for a message. */
async function namesIn(path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(path)) if (name !== lostAndFound) names.push(name);
  } catch (error) {
    throw unusable(path, error);
  }
  return names.toSorted();
}

async function refuseRunningServer(path: string): Promise<void> {
  const file = join(path, 'postmaster.pid');
  const [line = ''] = (await readFile(file, 'utf8').catch(() => '')).split('\n');
  const pid = Number(line);
  if (!Number.isInteger(pid) || pid < 1 || pid === process.pid || !isAlive(pid)) return;
  throw refusal(
    'target-in-use',
    `a PostgreSQL server seems to be running in ${path}: process ${pid} of ${file} is alive`,
    'Stop the server first. If it is not PostgreSQL that has this process id, remove postmaster.pid.',
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

async function checkWritable(path: string, purpose: string): Promise<void> {
  try {
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw refusal(
      'target-not-writable',
      `the place for the ${purpose}, ${path}, is not writable`,
      'Check its permissions, or restore as another user.',
      error,
    );
  }
}

async function refuseMounts(path: string, there: Stats, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const inside = await lstatIfThere(join(path, name));
    if (inside === undefined || !inside.isDirectory() || inside.dev === there.dev) continue;
    throw refusal(
      'target-mount-point',
      `${join(path, name)} is a mount point, which cannot be removed with what it holds`,
      'Unmount it and restore again.',
    );
  }
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  return ifThere(() => stat(path), path);
}

async function lstatIfThere(path: string): Promise<Stats | undefined> {
  return ifThere(() => lstat(path), path);
}

async function ifThere(look: () => Promise<Stats>, path: string): Promise<Stats | undefined> {
  try {
    return await look();
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw unusable(path, error);
  }
}

function unusable(path: string, cause: unknown): OperatorError {
  return refusal('target-unusable', `${path} cannot be looked at`, 'Check the permissions of the directories above it.', cause);
}

function refusal(code: string, message: string, hint: string, cause?: unknown): OperatorError {
  return new OperatorError(code, message, { hint, ...(cause !== undefined && { cause }) });
}
