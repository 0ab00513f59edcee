import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { runProgram } from '../../src/lib/subprocess.ts';
import { crcOffsetOf } from '../../src/postgres/control-file.ts';
import { classifyWalFile } from '../../src/postgres/wal-name.ts';
import { systemUser } from './system-user.ts';

const flagsOfAll = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'];

/** Its lower half, as the upper one is the time of initdb: in pg_control, and in the first page of a segment (xlog_internal.h). */
const identifierAt = { control: 0, wal: 24 };

/**
 * Makes a cluster as initdb with these flags does. initdb itself is run once on a machine: after that what it made is copied, in a fifth of the
 * time, and each copy gets a system identifier of its own, as initdb would have given it.
 */
export async function makeCluster(bin: string, dataDirectory: string, flags: readonly string[] = []): Promise<void> {
  const template = await templateOf(bin, [...flagsOfAll, ...flags]);
  await run('cp', ['-a', template, dataDirectory]);
  const identifier = randomBytes(4);
  await identifyWal(join(dataDirectory, 'pg_wal'), identifier);
  await identifyControlFile(join(dataDirectory, 'global/pg_control'), identifier);
}

async function templateOf(bin: string, flags: readonly string[]): Promise<string> {
  const { uid, gid } = systemUser();
  const initdb = join(bin, 'initdb');
  const version = await run(initdb, ['--version']);
  const key = createHash('sha256').update(JSON.stringify([version, flags, uid, process.env['TZ']]));
  const home = join(cacheDirectory(), 'clusters');
  const template = join(home, key.digest('hex').slice(0, 16));
  if (existsSync(template)) return template;

  await mkdir(home, { recursive: true });
  const made = join(home, `unfinished-${randomBytes(8).toString('hex')}`);
  await mkdir(made, { mode: 0o700 });
  await chown(made, uid, gid);
  await run(initdb, ['-D', made, ...flags], { uid, gid, cwd: '/' });
  // Where several processes make it, the first one to finish is believed.
  await rename(made, template).catch(async (error: NodeJS.ErrnoException) => {
    await rm(made, { recursive: true });
    if (!existsSync(template)) throw error;
  });
  return template;
}

/** As in scripts/install-postgres-side.sh. */
function cacheDirectory(): string {
  const ofUser = process.getuid?.() === 0 ? '/var/cache' : (process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'));
  return process.env['PGHOARD_TEST_CACHE'] ?? join(ofUser, 'pghoard-test');
}

async function identifyWal(walDirectory: string, identifier: Uint8Array): Promise<void> {
  for (const name of await readdir(walDirectory)) {
    if (classifyWalFile(name) !== 'segment') continue;
    await using file = await open(join(walDirectory, name), 'r+');
    await file.write(identifier, 0, identifier.length, identifierAt.wal);
  }
}

async function identifyControlFile(path: string, identifier: Uint8Array): Promise<void> {
  const content = await readFile(path);
  content.set(identifier, identifierAt.control);
  const crcAt = crcOffsetOf(content);
  content.writeUInt32LE(crc32c(content.subarray(0, crcAt)), crcAt);
  await writeFile(path, content);
}

async function run(program: string, args: readonly string[], options: { uid?: number; gid?: number; cwd?: string } = {}): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program, args, options);
  assert.equal(code, 0, `${program} failed: ${stderr}`);
  return stdout;
}
