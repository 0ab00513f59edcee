import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CodecPool } from '../../src/codec/pool.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type RestoreDeps, type RestoreRequest, type RestoreResult, restoreBasebackup } from '../../src/restore/restore.ts';
import { Progress } from '../../src/transfer/progress.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';
import { TestBackups } from './test-backups.ts';

/** A local store with made-up backups, and a directory to restore them into. */
export interface RestoreBench extends AsyncDisposable {
  readonly directory: string;
  readonly target: string;
  readonly backups: TestBackups;
  readonly warnings: string[];
  readonly progress: Progress;
  restore(request?: Partial<RestoreRequest>, deps?: Partial<RestoreDeps>, signal?: AbortSignal): Promise<RestoreResult>;
}

export async function makeRestoreBench(pool: CodecPool, privateKeys: Record<string, string> = {}): Promise<RestoreBench> {
  const scratch = await makeTemporaryDirectory();
  const backups = await TestBackups.open(scratch.path);
  const target = join(scratch.path, 'data');
  const warnings: string[] = [];
  const progress = new Progress();
  const request: RestoreRequest = {
    basebackup: 'latest',
    dataDirectory: target,
    overwrite: false,
    reuse: false,
    tablespaces: { directories: new Map() },
    recovery: { target: { kind: 'latest' }, targetAction: 'promote', timeline: 'latest', toPrimary: true },
    cancelPreserveOnSuccess: true,
  };
  const deps: RestoreDeps = {
    sources: [{ site: 'main', catalog: backups.catalog, storage: backups.storage, privateKeys }],
    pool,
    clock: systemClock,
    progress,
    wal: { program: 'fetch', host: '127.0.0.1', port: 16000 },
    onChosen: () => {},
    say: () => {},
    warn: (message) => warnings.push(message),
  };
  return {
    directory: scratch.path,
    target,
    backups,
    warnings,
    progress,
    restore: (some, other, signal = new AbortController().signal) =>
      restoreBasebackup({ ...request, ...some }, { ...deps, ...other }, signal),
    [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
  };
}

/** Everything is in place, and nothing says that it is unfinished. */
export async function assertComplete(target: string): Promise<void> {
  assert.deepEqual(await readFile(join(target, 'base/1/1259')), Buffer.alloc(16_384, 7));
  assert.equal((await readFile(join(target, 'global/pg_control'))).length, 8192);
  assert.ok(existsSync(join(target, 'backup_label')));
  assert.equal(existsSync(join(target, 'pghoard_restore_incomplete')), false);
  assert.equal(existsSync(join(target, 'global/pg_control.pghoard_restoring')), false);
  assert.equal((await stat(target)).mode & 0o777, 0o700);
}

/** PostgreSQL cannot start there, and whoever looks is told why. */
export async function assertUnstartable(target: string): Promise<void> {
  assert.equal(existsSync(join(target, 'global/pg_control')), false);
  assert.match(await readFile(join(target, 'pghoard_restore_incomplete'), 'utf8'), /--overwrite/);
}
