import { access, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { whileItGrows } from '../../lib/while-it-grows.ts';
import { manifestTailBytes, walEndIn } from '../../postgres/backup-manifest.ts';
import type { RunningBackup } from '../job.ts';
import type { MainObject } from '../main-object.ts';
import { PgBasebackup } from '../pg-basebackup.ts';
import { ProgressCount } from '../progress.ts';
import { describeRawBackup, logWarnings, planRawBackup, tablespacesRefused } from '../raw-backup.ts';
import { sealOptionsOf } from '../seal-options.ts';
import { sealTarFile } from '../seal-raw.job.ts';

/** `basebackup_mode: basic`: pg_basebackup writes a tar file into the spool, which is sealed afterwards. */
export async function takeBasic(backup: RunningBackup): Promise<MainObject> {
  const { job, deps, name, directory, signal } = backup;
  const progress = new ProgressCount(deps.onProgress);
  const plain = join(directory, 'plain');
  const plan = await planRawBackup(backup, plain);
  await mkdir(plain, { mode: 0o700 });
  progress.enter('copying');
  const tell = logWarnings(backup, progress.add);
  await using program = new PgBasebackup(plan.command, signal, (warning) => tell({ warning }));
  program.stdout.resume();
  await whileItGrows(join(plain, 'base.tar'), progress.alive, () => program.succeeded());
  await plan.password[Symbol.asyncDispose]();
  const path = await onlyTarIn(plain);
  const target = join(directory, name);
  const sealed = await deps.pool.run(
    sealTarFile,
    { path, target, seal: sealOptionsOf(job.seal) },
    { signal, onReport: progress.add, party: job.site },
  );
  const walEnd = walEndIn(await tailOf(await manifestIn(plain)));
  await rm(plain, { recursive: true });
  progress.enter('finishing');
  return describeRawBackup(backup, plan, target, { ...sealed, walEnd });
}

/** With a page whose checksum is wrong pg_basebackup ends without giving it its name. */
async function manifestIn(directory: string): Promise<string> {
  const path = join(directory, 'backup_manifest');
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  return isThere ? path : `${path}.tmp`;
}

async function tailOf(path: string): Promise<string> {
  await using file = await open(path);
  const { size } = await file.stat();
  const { buffer, bytesRead } = await file.read({
    buffer: Buffer.alloc(manifestTailBytes),
    position: Math.max(0, size - manifestTailBytes),
  });
  return buffer.subarray(0, bytesRead).toString();
}

async function onlyTarIn(directory: string): Promise<string> {
  const others = (await readdir(directory)).filter((file) => /^\d+\.tar$/.test(file));
  if (others.length > 0) throw tablespacesRefused(`pg_basebackup made ${others.join(', ')} beside base.tar`);
  return join(directory, 'base.tar');
}
