import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runProgram } from '../../src/lib/subprocess.ts';
import { siteName } from '../../test/support/daemon.ts';
import { packageRoot } from '../../test/support/package-root.ts';
import { signalProcess } from '../../test/support/process-tree.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { type SoakSite, sites, type World } from './world.ts';

const postgresCommand = join(packageRoot, 'bin/pghoard_postgres_command');
const backupWithinMs = 300_000;
/** What restore_command ends with for a file that the store proves not to have. */
const notStored = 4;

/** How often things happen. */
export interface Pace {
  readonly backupMs: number;
  readonly restartEvery: number;
}

/** How often each thing has been done. */
export class Strain {
  readonly done = { 'base backups': 0, 'ended segments': 0, 'fetched segments': 0, 'API requests': 0, reloads: 0, 'server restarts': 0 };
  readonly #world: World;
  #lastSegment: string | undefined;
  readonly #end: AbortSignal;

  constructor(world: World, end: AbortSignal) {
    this.#world = world;
    this.#end = end;
  }

  /** Everything that goes on beside the load, until the end; rejects with the first thing that does not go as it should. */
  async run({ backupMs, restartEvery }: Pace): Promise<void> {
    this.#breakRequests();
    let round = 0;
    const operate = async () => {
      await this.#takeBackups();
      await this.#reconfigure(++round);
      if (round % restartEvery === 0) await this.#restartServer();
    };
    await Promise.all([
      this.#repeat(backupMs, operate),
      this.#repeat(4_000, () => this.#endSegment()),
      this.#repeat(9_000, () => this.#fetchSegment()),
      this.#repeat(1_000, () => this.#askApi()),
      this.#repeat(20_000, async () => this.#reload()),
    ]);
  }

  async #repeat(everyMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.#end.aborted) {
      await work();
      await delay(everyMs, undefined, { signal: this.#end }).catch(() => {});
    }
  }

  async #takeBackups(): Promise<void> {
    await Promise.all(sites.map((site) => this.#takeBackup(site)));
  }

  async #takeBackup(site: SoakSite): Promise<void> {
    const { daemon } = this.#world;
    const before = await this.backups(site);
    assert.equal((await daemon.request('PUT', `/${site}/basebackup`)).status, 201);
    const isThere = async () => (await this.backups(site)).some((name) => !before.includes(name));
    await waitFor(isThere, { withinMs: backupWithinMs, what: () => `a base backup of ${site}:\n${daemon.log.slice(-4000)}` });
    this.done['base backups']++;
  }

  async backups(site: SoakSite): Promise<string[]> {
    const answer = await this.#world.daemon.request('GET', `/${site}/basebackup`);
    const { basebackups } = (await answer.json()) as { basebackups: { name: string }[] };
    return basebackups.map(({ name }) => name).toSorted();
  }

  /** Both sites are made anew, in another mode. */
  async #reconfigure(round: number): Promise<void> {
    const { daemon } = this.#world;
    await daemon.reconfigure({
      site: { basebackup_mode: round % 2 === 0 ? 'local-tar' : 'delta' },
      others: { cloud: { ...(await daemon.siteConfig('cloud')), basebackup_mode: round % 2 === 0 ? 'pipe' : 'basic' } },
    });
    this.done.reloads++;
  }

  async #restartServer(): Promise<void> {
    const { postgres, pgbench } = this.#world;
    await pgbench.stop();
    await postgres.restart();
    pgbench.resume();
    this.done['server restarts']++;
  }

  /** While the server is restarted there is nothing to end. */
  async #endSegment(): Promise<void> {
    const name = await this.#world.postgres.switchWal().catch(() => undefined);
    if (name === undefined) return;
    this.#lastSegment = name;
    this.done['ended segments']++;
  }

  /** As restore_command does, with one more that is not there. */
  async #fetchSegment(): Promise<void> {
    const segment = this.#lastSegment;
    if (segment === undefined) return;
    for (const site of sites) {
      await this.#restoreCommandEnds(site, segment, 0);
      await this.#restoreCommandEnds(site, '00000009.history', notStored);
      this.done['fetched segments']++;
    }
  }

  /** While a site is made anew, and until the segment is stored, it is told to ask again. */
  async #restoreCommandEnds(site: SoakSite, name: string, code: number): Promise<void> {
    const ends = async () => (await this.#restoreCommand(site, name)) === code;
    const what = () => `restore_command of ${site} ends with ${code} for ${name}:\n${this.#world.daemon.log.slice(-4000)}`;
    await waitFor(ends, { withinMs: 60_000, what });
  }

  async #restoreCommand(site: SoakSite, name: string): Promise<number | null> {
    const { directory, daemon } = this.#world;
    const output = join(directory, 'fetched');
    const flags = ['--mode', 'restore', '--site', site, '--port', String(daemon.port), '--xlog', name, '--output', output];
    const { code } = await runProgram(postgresCommand, flags);
    await rm(output, { force: true });
    return code;
  }

  /** The last one is given up half-way. */
  async #askApi(): Promise<void> {
    const { daemon } = this.#world;
    const paths = ['/status', '/metrics', `/${siteName}/basebackup`, '/cloud/basebackup', '/nosuch'];
    for (const path of paths) await (await daemon.request('GET', path)).arrayBuffer();
    await fetch(`http://127.0.0.1:${daemon.port}/${siteName}/basebackup`, { signal: AbortSignal.timeout(2) }).catch(() => {});
    this.done['API requests'] += paths.length + 1;
  }

  #reload(): void {
    const { pid } = this.#world.daemon;
    if (pid !== undefined) signalProcess(pid, 'SIGHUP');
    this.done.reloads++;
  }

  /** One request to the store in a hundred is cut off. */
  #breakRequests(): void {
    let requests = 0;
    this.#world.gcs.faults.push(() => (++requests % 100 === 0 ? 'reset' : undefined));
  }
}
