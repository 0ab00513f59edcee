import { mkdir } from 'node:fs/promises';
import { cannotWrite } from '../codec/sink-file.ts';
import { systemErrorCode } from '../lib/errors.ts';
import type { BasebackupDeps } from './job.ts';
import { basebackupName } from './plan.ts';

export interface ReservedName {
  readonly name: string;
  /** In the spool, and empty. */
  readonly directory: string;
}

/** A name that no base backup has, or has had; making the spool directory claims it. Rejects with `spool-unusable` or `file-unwritable`, or as the store does. */
export async function reserveName(
  { catalog, spool, names, clock }: Pick<BasebackupDeps, 'catalog' | 'spool' | 'names' | 'clock'>,
  signal: AbortSignal,
): Promise<ReservedName> {
  await spool.ensure();
  const now = clock.now();
  for (let n = 0; ; n++) {
    signal.throwIfAborted();
    const name = basebackupName(now, n);
    const directory = spool.basebackupDirectory(name);
    if (names.has(name) || (await catalog.basebackupNameTaken(name, signal))) continue;
    try {
      await mkdir(directory, { mode: 0o700 });
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') continue;
      throw cannotWrite(directory, error);
    }
    await names.add([name]).catch((error: unknown) => Promise.reject(cannotWrite(directory, error)));
    return { name, directory };
  }
}
