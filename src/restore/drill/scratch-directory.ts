import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../../lib/errors.ts';
import { FileLock } from '../../lib/file-lock.ts';

/** Where the drill of a site does its work, alone, and of which nothing is left. */
export class ScratchDirectory implements AsyncDisposable {
  readonly path: string;
  readonly #lock: FileLock;

  /** Also removes what drills left that were killed. Rejects with `drill-impossible` while another one of the site runs, or where nothing can be written. */
  static async make(workdir: string, site: string): Promise<ScratchDirectory> {
    const prefix = `drill-${createHash('sha256').update(site).digest('hex').slice(0, 16)}`;
    const lock = await lockIn(workdir, prefix).catch((error: unknown) => {
      throw new OperatorError('drill-impossible', `no drill can be held: ${workdir} cannot be used`, {
        cause: error,
        hint: 'Correct restore_drill.workdir, or let pghoard write there.',
      });
    });
    if (lock === undefined) throw new OperatorError('drill-impossible', 'a drill of this site is being held already', { retryable: true });
    for (const name of await readdir(workdir))
      if (name.startsWith(`${prefix}-`)) await rm(join(workdir, name), { recursive: true, force: true });
    return new ScratchDirectory(await mkdtemp(join(workdir, `${prefix}-`)), lock);
  }

  private constructor(path: string, lock: FileLock) {
    this.path = path;
    this.#lock = lock;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    await this.#lock.release();
  }
}

async function lockIn(workdir: string, prefix: string): Promise<FileLock | undefined> {
  await mkdir(workdir, { recursive: true });
  return FileLock.take(join(workdir, `${prefix}.lock`));
}
