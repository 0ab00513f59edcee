import { rm } from 'node:fs/promises';
import { type BasebackupEntry, parseBasebackupEntry } from '../catalog/basebackup-entry.ts';
import { inUnits } from '../lib/bytes-in-words.ts';
import { DigestSet } from '../lib/digest-set.ts';
import { messageOf, OperatorError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { durationInWords } from '../lib/time-in-words.ts';
import { sourceOfFile } from '../storage/object-source.ts';
import type { ObjectEntry } from '../storage/object-store.ts';
import { cleanUpAfterCrash, removeFailedBackup } from './clean-up.ts';
import type { BasebackupDeps, BasebackupJob, BasebackupMode, RunningBackup } from './job.ts';
import type { MainObject } from './main-object.ts';
import { takeBasic } from './modes/basic.ts';
import { takeDelta } from './modes/delta.ts';
import { takeLocalTar, takeLocalTarWithStats } from './modes/local-tar.ts';
import { takePiped } from './modes/pipe.ts';
import { takeStreamed } from './modes/stream.ts';
import { reserveName } from './reserve-name.ts';

/** A store that does not answer must not hold up the failure it caused; what is left is removed before the next backup. */
const removeFailedMsMax = 30_000;

const takers: Record<BasebackupMode, (backup: RunningBackup) => Promise<MainObject>> = {
  'local-tar': takeLocalTar,
  'local-tar-delta-stats': takeLocalTarWithStats,
  delta: takeDelta,
  basic: takeBasic,
  pipe: takePiped,
  stream: takeStreamed,
};

/**
 * Takes a base backup and resolves once it is whole in the store. Until its main object is there it is visible to nobody; if it fails,
 * nothing of it stays in store or spool. At most one at a time per site.
 */
export async function takeBasebackup(job: BasebackupJob, deps: BasebackupDeps, signal: AbortSignal): Promise<BasebackupEntry> {
  await cleanUpAfterCrash(deps, signal);
  const { name, directory } = await reserveName(deps, signal);
  const named = { ...deps, log: deps.log.child({ basebackup: name }) };
  const backup: RunningBackup = { job, deps: named, name, directory, signal, newDeltaFiles: new DigestSet() };
  const { log, clock } = backup.deps;
  const begunMs = clock.monotonicMs();
  log.info({ mode: job.mode, reason: job.origin.reason }, 'base backup begins');
  try {
    const main = await takers[job.mode](backup);
    const entry = parseBasebackupEntry(await commit(backup, main));
    await removeDirectory(backup);
    tellComplete(log, entry, (clock.monotonicMs() - begunMs) / 1000);
    return entry;
  } catch (error) {
    await undo(backup);
    throw error;
  }
}

/** The upload of the main object is what makes the backup exist. It may be hours since the store was asked whether it is for this cluster. */
async function commit({ job, deps, signal }: RunningBackup, main: MainObject): Promise<ObjectEntry> {
  await deps.admit(main.cluster, signal);
  signal.throwIfAborted();
  return deps.uploads.upload({
    site: job.site,
    store: deps.catalog.store,
    key: main.key,
    source: sourceOfFile(main.path, main.storedBytes),
    metadata: main.metadata,
    fileType: 'basebackup',
    signal,
  });
}

/** `bytes` is what was read of the cluster. */
function tellComplete(log: Log, entry: BasebackupEntry, seconds: number): void {
  const { plainSize: bytes, storedSize: storedBytes, startWalSegment: firstWal, endWalSegment: lastWal, endTime } = entry;
  const size = bytes === undefined ? `${inUnits(storedBytes)} stored` : `${inUnits(bytes)} of data, ${inUnits(storedBytes)} stored`;
  const rate = bytes === undefined ? '' : `, ${inUnits(bytes / Math.max(seconds, 0.001))}/s`;
  const range = { firstWal, lastWal, restorableFrom: endTime };
  log.info(
    { bytes, storedBytes, seconds: Number(seconds.toFixed(1)), ...range },
    `base backup is complete: ${size}, in ${durationInWords(Math.round(seconds))}${rate}`,
  );
}

async function removeDirectory({ deps, directory }: RunningBackup): Promise<void> {
  try {
    await rm(directory, { recursive: true });
  } catch (error) {
    // The backup is complete; its directory is removed before the next one.
    deps.log.warn({ directory, because: messageOf(error) }, 'cannot remove the spool directory of a finished base backup');
  }
}

/** Must not hide the failure that led here. */
async function undo({ deps, name, directory, newDeltaFiles }: RunningBackup): Promise<void> {
  try {
    await removeFailedBackup(deps, { name, directory, newDeltaFiles }, AbortSignal.timeout(removeFailedMsMax));
  } catch (error) {
    const because = messageOf(error instanceof OperatorError ? (error.cause ?? error) : error);
    deps.log.warn({ because }, 'cannot remove all of a failed base backup now; the rest is removed before the next one');
  }
}
