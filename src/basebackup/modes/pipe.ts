import { join } from 'node:path';
import type { RunningBackup } from '../job.ts';
import type { MainObject } from '../main-object.ts';
import { ProgressCount } from '../progress.ts';
import { describeRawBackup, logWarnings, planRawBackup } from '../raw-backup.ts';
import { sealOptionsOf } from '../seal-options.ts';
import { sealStream } from '../seal-raw.job.ts';

/** `basebackup_mode: pipe`: the output of pg_basebackup goes straight through the codec. */
export async function takePiped(backup: RunningBackup): Promise<MainObject> {
  const { job, deps, name, directory, signal } = backup;
  const progress = new ProgressCount(deps.onProgress);
  const plan = await planRawBackup(backup, '-');
  progress.enter('copying');
  const target = join(directory, name);
  const sealed = await deps.pool.run(
    sealStream,
    { command: plan.command, target, seal: sealOptionsOf(job.seal) },
    { signal, onReport: logWarnings(backup, progress.add), party: job.site },
  );
  await plan.password[Symbol.asyncDispose]();
  progress.enter('finishing');
  return describeRawBackup(backup, plan, target, sealed);
}
