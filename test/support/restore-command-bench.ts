import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastWordsOf } from '../../src/cli/main.ts';
import { parseRestoreFlags } from '../../src/cli/restore-flags.ts';
import { restoreRequest } from '../../src/cli/restore-request.ts';
import { closeSources, openSources } from '../../src/cli/restore-sources.ts';
import { CodecPool } from '../../src/codec/pool.ts';
import { loadConfig, selectSite } from '../../src/config/load.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { ProgramResult } from '../../src/lib/subprocess.ts';
import { incompleteMarker } from '../../src/restore/layout.ts';
import { restoreBasebackup } from '../../src/restore/restore.ts';
import { Progress } from '../../src/transfer/progress.ts';
import { runOurs } from './commands.ts';
import { assertRefused, type Refusal, snapshotOf } from './refusal.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';
import { TestBackups } from './test-backups.ts';

/**
 * Made-up backups, and `pghoard_restore` on them, in the middle of things that it may not touch. The first restore, and each that has to succeed, is the command as a process.
 * What it refuses after that is refused by the same code in this process: the start takes longer than all the rest.
 */
export class RestoreCommandBench implements AsyncDisposable {
  readonly root: string;
  readonly target: string;
  readonly backups: TestBackups;
  readonly #dispose: () => Promise<void>;
  #hasRunAsProcess = false;

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

  async restore(site: object = {}, args: readonly string[] = [], asProcess = !this.#hasRunAsProcess): Promise<ProgramResult> {
    const config = await this.backups.writeConfig(site, { restore_process_count: 1 });
    await rm(this.target, { recursive: true, force: true });
    const all = ['get-basebackup', '--config', config, '--target-dir', this.target, '--restore-to-primary', ...args];
    this.#hasRunAsProcess = true;
    return asProcess ? runOurs('restore', all) : restoreHere(all);
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
    const result = await this.restore(site, args, true);
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

/** What `pghoard_restore get-basebackup` does with these arguments, but for what it tells on its way. */
async function restoreHere(args: readonly string[]): Promise<ProgramResult> {
  const said: string[] = [];
  try {
    const command = parseRestoreFlags(args, {});
    assert(command.do === 'get-basebackup');
    const config = await loadConfig(command.flags.config);
    const sources = await openSources(config, selectSite(config, command.flags.site));
    await using pool = new CodecPool(config.restore_process_count);
    await using _opened = { [Symbol.asyncDispose]: () => closeSources(sources) };
    const say = (message: string) => void said.push(message);
    const wal = { program: 'pghoard_postgres_command', host: '127.0.0.1', port: config.http_port };
    const deps = { sources, pool, clock: systemClock, progress: new Progress(), wal, onChosen: () => {}, say, warn: say };
    await restoreBasebackup(restoreRequest(command.flags, systemClock.now()), deps, new AbortController().signal);
    return { code: 0, signal: null, stdout: said.join('\n'), stderr: '' };
  } catch (error) {
    const { code, text } = lastWordsOf('pghoard_restore', error);
    return { code, signal: null, stdout: said.join('\n'), stderr: text };
  }
}
