import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from '../../lib/errors.ts';
import { runProgram } from '../../lib/subprocess.ts';

/** Who reads, writes or runs a file. */
export interface FileUser {
  readonly uid: number;
  /** All of its groups. */
  readonly gids: readonly number[];
  readonly name: string;
}

export interface FileModes {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export type Access = 'read' | 'write' | 'execute';

const bits: Readonly<Record<Access, number>> = { read: 4, write: 2, execute: 1 };

/** What the mode of a file says; access control lists and read-only mounts are not known here. */
export function mayAccess({ uid, gids }: Pick<FileUser, 'uid' | 'gids'>, file: FileModes, access: Access): boolean {
  if (uid === 0) return access !== 'execute' || (file.mode & 0o111) !== 0;
  const shift = file.uid === uid ? 6 : gids.includes(file.gid) ? 3 : 0;
  return ((file.mode >> shift) & bits[access]) !== 0;
}

/** Why the user cannot run the program, as the modes of it and of all directories above it say; undefined where nothing speaks against it. */
export async function whyNotExecutable(path: string, user: FileUser): Promise<string | undefined> {
  for (const directory of ancestorsOf(path)) {
    const found = await modesOf(directory);
    if (typeof found === 'string') return `${directory} ${found}`;
    if (!mayAccess(user, found, 'execute')) return `${user.name} may not enter ${directory} (mode ${octal(found.mode)})`;
  }
  const found = await modesOf(path);
  if (typeof found === 'string') return `${path} ${found}`;
  return mayAccess(user, found, 'execute') ? undefined : `${user.name} may not run ${path} (mode ${octal(found.mode)})`;
}

/** Of a file or directory, or why they cannot be told. */
export async function modesOf(path: string): Promise<FileModes | string> {
  try {
    return await stat(path);
  } catch (error) {
    const code = systemErrorCode(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : `cannot be looked at (${code ?? 'unknown error'})`;
  }
}

export function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

/** With the groups that the system knows for it; the number where it has no name. */
export async function fileUserOf(uid: number): Promise<FileUser> {
  const name = await userName(uid);
  const { code, stdout } = await runProgram('id', ['-G', name]).catch(() => ({ code: 1, stdout: '' }));
  return { uid, name, gids: code === 0 ? stdout.trim().split(/\s+/).map(Number) : [] };
}

export async function userName(uid: number): Promise<string> {
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const line = users.split('\n').find((each) => each.split(':')[2] === String(uid));
  return line?.split(':')[0] ?? String(uid);
}

function ancestorsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...ancestorsOf(parent), parent];
}
