import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { explain, isOperatorError, messageOf, OperatorError } from '../lib/errors.ts';
import { FileLock } from '../lib/file-lock.ts';
import type { Log } from '../lib/log.ts';

export const lockName = 'pghoard.lock';

export interface BackupLocationDeps {
  readonly host: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** `backup_location`, which one daemon has to itself: it removes what a dead one left unfinished there. */
export class BackupLocation {
  readonly path: string;
  /**
   * The same for all daemons that ever had this place since the machine was started, and for no other: who finds it in a lease knows its last owner to be
   * dead. Undefined where nothing keeps a second daemon away.
   */
  readonly name: string | undefined;
  readonly #lock: FileLock | undefined;

  private constructor(path: string, name: string | undefined, lock: FileLock | undefined) {
    this.path = path;
    this.name = name;
    this.#lock = lock;
  }

  /** Makes the directory where it is missing. Rejects with `backup-location-in-use`, or `spool-unusable`. */
  static async occupy(path: string, deps: BackupLocationDeps): Promise<BackupLocation> {
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
      const lock = await FileLock.take(join(path, lockName));
      if (lock === undefined) throw await inUse(path);
      const occupant = `process ${process.pid} on ${deps.host}, since ${deps.clock.now().toISOString()}\n`;
      // A full disk must not keep the daemon from starting.
      await lock.write(occupant).catch((error: unknown) => deps.log.warn({ path }, `cannot write ${lockName}: ${messageOf(error)}`));
      return new BackupLocation(path, await lock.name(), lock);
    } catch (error) {
      if (isOperatorError(error, 'program-missing', 'file-unlockable')) {
        deps.log.warn({ path }, `nothing keeps a second daemon away from backup_location: ${explain(error)}`);
        return new BackupLocation(path, undefined, undefined);
      }
      if (isOperatorError(error)) throw error;
      throw new OperatorError('spool-unusable', `cannot use backup_location ${path}`, {
        cause: error,
        hint: 'It must be a directory on a disk with room, and belong to the user who runs pghoard.',
      });
    }
  }

  async leave(): Promise<void> {
    await this.#lock?.release();
  }
}

async function inUse(path: string): Promise<OperatorError> {
  const occupant = await readFile(join(path, lockName), 'utf8').catch(() => '');
  const [who = ''] = occupant.split('\n');
  return new OperatorError('backup-location-in-use', `another pghoard uses backup_location ${path}${who === '' ? '' : `: ${who}`}`, {
    hint: 'Each daemon needs a backup_location of its own. Several may share a store.',
  });
}
