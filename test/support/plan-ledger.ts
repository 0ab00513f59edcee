import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { closeSources, openSources } from '../../src/cli/restore-sources.ts';
import { thisThread } from '../../src/codec/pool.ts';
import { loadConfig, selectSite } from '../../src/config/load.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { parseLsn } from '../../src/postgres/lsn.ts';
import { makeRestorePlan } from '../../src/restore/plan/make-plan.ts';
import type { PlanRequest } from '../../src/restore/plan/plan-request.ts';
import type { RestorePlanDocument } from '../../src/restore/plan/restore-plan-document.ts';
import { storedSites } from '../../src/restore/plan/stored-knowledge.ts';
import type { RecoveryWishes } from '../../src/restore/recovery-settings.ts';
import { packageRoot } from './package-root.ts';
import type { TestPostgres } from './postgres.ts';
import { TestSite } from './test-site.ts';

/** A transaction that has written its number. */
export interface LedgerEntry {
  readonly number: number;
  readonly xid: string;
  /** Behind its commit. */
  readonly lsn: bigint;
  /** Of its commit, in microseconds since 1970. */
  readonly time: number;
}

export interface LedgerPoint {
  readonly name: string;
  /** The last entry before it. */
  readonly number: number;
}

/** A server whose transactions are all known, over two timelines and with a hole in what is stored of its WAL. */
export class PlanLedger implements AsyncDisposable {
  readonly site: TestSite;
  readonly entries: LedgerEntry[] = [];
  readonly points: LedgerPoint[] = [];
  /** The oldest first. */
  readonly basebackups: { readonly name: string; readonly end: Date; readonly endLsn: bigint }[] = [];

  /** `size`: of each of its five chapters. */
  static async start(size: number): Promise<PlanLedger> {
    const settings = { wal_keep_size: '0', track_commit_timestamp: 'on', autovacuum: 'off' };
    const keeping = { basebackup_after_wal_gap: false, basebackup_count: 10 };
    const site = await TestSite.start({ initdb: ['--wal-segsize=1'], settings, site: keeping });
    try {
      const ledger = new PlanLedger(site);
      await ledger.#fill(size);
      return ledger;
    } catch (error) {
      await site[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(site: TestSite) {
    this.site = site;
  }

  /** As a host that has nothing but the store and the configuration. */
  async plan(recovery: RecoveryWishes, basebackup = 'latest'): Promise<RestorePlanDocument> {
    const { configFile, port } = this.site.daemon;
    const config = await loadConfig(configFile);
    const sources = await openSources(config, selectSite(config, undefined));
    const request: PlanRequest = {
      basebackup,
      dataDirectory: undefined,
      overwrite: false,
      reuse: false,
      tablespaces: { directories: new Map() },
      recovery,
      cancelPreserveOnSuccess: true,
    };
    const daemon = { program: join(packageRoot, 'bin/pghoard_postgres_command'), host: '127.0.0.1', port };
    const deps = { ...storedSites(sources, assert.fail), pool: thisThread, clock: systemClock, daemon, configFile, isHere: false };
    try {
      return await makeRestorePlan(request, deps, new AbortController().signal);
    } finally {
      await closeSources(sources);
    }
  }

  /** The last entry that a server has which has recovered so far as the plan tells; 0: none. Undefined where the plan does not tell. */
  promised({ commits: { before } }: RestorePlanDocument): number | undefined {
    if (before === null) return undefined;
    const lsn = parseLsn(before.lsn);
    return this.entries.findLast((entry) => entry.lsn <= lsn || entry.xid === before.xid)?.number ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.site[Symbol.asyncDispose]();
  }

  async #fill(size: number): Promise<void> {
    const { postgres } = this.site;
    await postgres.query('CREATE TABLE ledger (number int)');
    await this.#write(2);
    await this.#basebackup();
    await this.#chapter(size);
    await this.#basebackup();
    await this.#chapter(size);
    await writeFile(join(postgres.dataDirectory, 'standby.signal'), '');
    await postgres.restart();
    await postgres.query('SELECT pg_promote()');
    await postgres.promoted();
    await this.#chapter(size);
    const lost = await this.site.archiveAll();
    await this.#chapter(size);
    await this.#basebackup();
    await this.#chapter(size);
    await this.site.archiveAll();
    await this.#lose(lost);
  }

  async #basebackup(): Promise<void> {
    const name = await this.site.basebackup();
    const { endTime: end, endLsn } = await (await this.site.daemon.catalog()).basebackup(name);
    assert(end && endLsn);
    this.basebackups.push({ name, end, endLsn });
  }

  async #chapter(size: number): Promise<void> {
    await this.#write(Math.ceil(size / 2));
    const name = `point ${this.points.length + 1}`;
    await this.site.postgres.query('SELECT pg_create_restore_point($1)', [name]);
    this.points.push({ name, number: this.entries.length });
    await this.#write(Math.floor(size / 2));
    await this.site.archiveAll();
  }

  async #write(count: number): Promise<void> {
    const { postgres } = this.site;
    for (let left = count; left > 0; left--) {
      const number = this.entries.length + 1;
      const [written] = await postgres.query('INSERT INTO ledger VALUES ($1) RETURNING pg_current_xact_id()::text AS xid', [number]);
      const xid = String(written?.['xid']);
      const [committed] = await postgres.query(
        `SELECT pg_current_wal_insert_lsn()::text AS lsn, (extract(epoch FROM pg_xact_commit_timestamp($1::text::xid)) * 1000000)::bigint::text AS time`,
        [xid],
      );
      this.entries.push({ number, xid, lsn: parseLsn(String(committed?.['lsn'])), time: Number(committed?.['time']) });
    }
  }

  /** A segment that is in the store no more, nor where the daemon could find it again. */
  async #lose(name: string): Promise<void> {
    const { postgres, daemon } = this.site;
    await rm(join(postgres.dataDirectory, 'pg_wal', name), { force: true });
    await daemon.stop();
    const catalog = await daemon.catalog();
    await catalog.store.delete(catalog.walKey(name));
    await daemon.launch();
  }
}

export async function lastEntryOf(postgres: TestPostgres): Promise<number> {
  const [row] = await postgres.query('SELECT coalesce(max(number), 0)::int AS last, count(*)::int AS count FROM ledger');
  assert.equal(row?.['last'], row?.['count'], 'all entries up to the last one are there');
  return Number(row?.['last']);
}
