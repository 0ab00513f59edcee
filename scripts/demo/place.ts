import { chmod, chown, mkdir, mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatorError } from '../../src/lib/errors.ts';
import { runProgram } from '../../src/lib/subprocess.ts';
import { isRunning } from '../../test/support/process-tree.ts';
import type { SystemUser } from '../../test/support/system-user.ts';

/** Where one run of the demo keeps everything. */
export interface Place {
  readonly directory: string;
  /** The package as the user of PostgreSQL can reach it: archive_command names programs in it. */
  readonly packageRoot: string;
  /** The user PostgreSQL runs as. */
  readonly user: SystemUser;
}

const demosMax = 9;
/** A socket's path may have 107 bytes; PostgreSQL adds `/.s.PGSQL.5432.lock`. */
const socketDirectoryLengthMax = 87;

/** Takes the first of a few numbered directories that no running demo holds, and empties it. */
export async function takePlace(user: SystemUser): Promise<Place> {
  const checkout = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
  const reachable = await canRun(user, join(checkout, 'bin/pghoard_postgres_command'));
  const home = reachable ? join(checkout, '.pghoard-demo') : `/var/tmp/pghoard-demo-${process.getuid?.()}`;
  await makeHome(home);
  const directory = await takeNumbered(home);
  const packageRoot = reachable ? checkout : await copyPackage(checkout, user, join(directory, 'package'));
  return { directory, packageRoot, user };
}

/** A directory that only the user of PostgreSQL (and root) can enter; short enough for sockets. */
export async function makePrivate(place: Place, name: string): Promise<string> {
  const wanted = join(place.directory, name);
  const short = wanted.length <= socketDirectoryLengthMax;
  const path = short ? wanted : await mkdtemp(join(tmpdir(), 'pghoard-demo-'));
  if (short) await mkdir(path, { mode: 0o700 });
  await chown(path, place.user.uid, place.user.gid);
  return path;
}

async function canRun(user: SystemUser, program: string): Promise<boolean> {
  return process.getuid?.() !== 0 || (await runProgram('test', ['-x', program], { ...user, cwd: '/' })).code === 0;
}

async function makeHome(home: string): Promise<void> {
  await mkdir(home, { recursive: true });
  if ((await stat(home)).uid !== process.getuid?.()) {
    throw new OperatorError('demo-directory-foreign', `${home} belongs to another user`, { hint: 'Remove or rename it, and start again.' });
  }
  await chmod(home, 0o711);
}

async function takeNumbered(home: string): Promise<string> {
  for (let number = 1; number <= demosMax; number++) {
    const directory = join(home, String(number));
    if (await isHeld(directory)) continue;
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory);
    await chmod(directory, 0o711);
    const holder = await open(join(directory, 'demo.pid'), 'wx');
    await holder.writeFile(String(process.pid));
    await holder.close();
    return directory;
  }
  throw new OperatorError('demo-directory-busy', `${demosMax} demos run in ${home} already`, { hint: 'End one of them with Ctrl-C.' });
}

async function isHeld(directory: string): Promise<boolean> {
  const holder = Number(await readFile(join(directory, 'demo.pid'), 'utf8').catch(() => '0'));
  return holder > 0 && isRunning(holder) && (await readFile(`/proc/${holder}/cmdline`, 'utf8')).includes('demo.js');
}

async function copyPackage(checkout: string, user: SystemUser, copy: string): Promise<string> {
  const { code, stdout, stderr } = await runProgram('sh', [join(checkout, 'scripts/accessible-checkout.sh'), String(user.uid), copy]);
  if (code !== 0) throw new OperatorError('demo-failed', `cannot copy the programs to ${copy}: ${stderr}`);
  return stdout.trim();
}
