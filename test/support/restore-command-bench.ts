import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProgramResult } from '../../src/lib/subprocess.ts';
import { incompleteMarker } from '../../src/restore/layout.ts';
import { runOurs } from './commands.ts';
import { assertRefused, type Refusal, snapshotOf } from './refusal.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';
import { TestBackups } from './test-backups.ts';

/** Made-up backups, and `pghoard_restore` on them as a process, in the middle of things that it may not touch. */
export class RestoreCommandBench implements AsyncDisposable {
  readonly root: string;
  readonly target: string;
  readonly backups: TestBackups;
  readonly #dispose: () => Promise<void>;

  private constructor(root: string, backups: TestBackups, dispose: () => Promise<void>) {
    this.root = root;
    this.target = join(root, 'host', 'target');
    this.backups = backups;
    this.#dispose = dispose;
  }

  static async make(): Promise<RestoreCommandBench> {
    const scratch = await makeTemporaryDirectory();
    await mkdir(join(scratch.path, 'host', 'neighbour'), { recursive: true });
    await writeFile(join(scratch.path, 'host', 'neighbour', 'victim'), 'precious\n');
    const backups = await TestBackups.open(join(scratch.path, 'pghoard'));
    return new RestoreCommandBench(scratch.path, backups, async () => scratch[Symbol.asyncDispose]());
  }

  async restore(site: object = {}, args: readonly string[] = []): Promise<ProgramResult> {
    const config = await this.backups.writeConfig(site, { restore_process_count: 1 });
    await rm(this.target, { recursive: true, force: true });
    return runOurs('restore', ['get-basebackup', '--config', config, '--target-dir', this.target, '--restore-to-primary', ...args]);
  }

  /** Checks that the restore is refused, that nothing startable is left, and that nothing beside the target has changed. */
  async assertRefuses(refusal: Refusal, what: string, site: object = {}, args: readonly string[] = []): Promise<void> {
    const before = this.surroundings;
    const result = await this.restore(site, args);
    assertRefused(result, refusal, what);
    assertNotStartable(this.target, what);
    await rm(this.target, { recursive: true, force: true });
    assert.deepEqual(this.surroundings, before, what);
  }

  /** Returns what is there then. */
  async assertRestores(site: object = {}, args: readonly string[] = []): Promise<string[]> {
    const result = await this.restore(site, args);
    assert.equal(result.code, 0, result.stdout + result.stderr);
    assert.ok(existsSync(join(this.target, 'global', 'pg_control')));
    const restored = snapshotOf(this.target);
    await rm(this.target, { recursive: true });
    return restored;
  }

  /** Checks that what is restored, if anything, is `whole`. */
  async assertRefusesOrRestores(refusal: Refusal, whole: readonly string[], site: object, args: readonly string[]): Promise<void> {
    const result = await this.restore(site, args);
    if (result.code === 0) {
      assert.deepEqual(snapshotOf(this.target), whole);
      await rm(this.target, { recursive: true });
      return;
    }
    assertRefused(result, refusal);
    assertNotStartable(this.target, 'refused');
    await rm(this.target, { recursive: true, force: true });
  }

  /** A restore asks for some hours that what it reads be kept. */
  get surroundings(): string[] {
    const may = ['pghoard/pghoard.json', 'pghoard/store/main/preservation_request/'];
    return snapshotOf(this.root).filter((line) => !may.some((path) => line.startsWith(path)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispose();
  }
}

/** Either nothing is there at all, or it bears the mark of an unfinished restore and lacks what PostgreSQL needs first. */
export function assertNotStartable(target: string, what: string): void {
  if (!existsSync(target)) return;
  assert.ok(!existsSync(join(target, 'global', 'pg_control')), `${what}: a control file`);
  assert.ok(existsSync(join(target, incompleteMarker)), `${what}: no mark of an unfinished restore`);
}
