import { readFileSync } from 'node:fs';

export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** Who PostgreSQL runs as: it refuses to run as root, so then it is `postgres`, or `nobody` where there is none; otherwise ourselves. */
export function systemUser(): SystemUser {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) return { uid, gid: process.getgid?.() ?? 0 };
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!user) throw new Error('there is neither a user postgres nor nobody to run PostgreSQL as');
  return { uid: Number(user[2]), gid: Number(user[3]) };
}
