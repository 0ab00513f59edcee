import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { systemUser, type TestPostgres } from './postgres.ts';
import type { PostgresVersion } from './postgres-binaries.ts';
import { clientProgram, connectionFlags, runClientProgram } from './postgres-programs.ts';
import { waitFor } from './wait-for.ts';

/** Between two entries of the ledger, so that the load leaves processor time to what is tested. */
const pauseMs = 4;
const transactionsPerSecond = 200;

/** Makes the tables that {@link Load} writes to. */
export async function prepareLoad(postgres: TestPostgres, version: PostgresVersion): Promise<void> {
  await runClientProgram('pgbench', version, [...connectionFlags(postgres), '--initialize', '--quiet', 'postgres']);
  await postgres.query('CREATE TABLE ledger (id int PRIMARY KEY, entry text NOT NULL)');
}

/** Writes that go on while something else is tested: pgbench's transactions, and a ledger of which every row known to be committed is counted. */
export class Load implements AsyncDisposable {
  readonly #postgres: TestPostgres;
  readonly #pgbench: ChildProcess;
  readonly #writer: Client;
  readonly #writing: Promise<void>;
  #lastCommitted: number;
  #isStopping = false;

  static async start(postgres: TestPostgres, version: PostgresVersion): Promise<Load> {
    const writer = new Client({ host: postgres.socketDirectory, port: postgres.port, user: 'postgres', database: 'postgres' });
    await writer.connect();
    const { rows } = await writer.query<{ last: number }>('SELECT coalesce(max(id), 0) AS last FROM ledger');
    const flags = ['--client=2', '--time=600', `--rate=${transactionsPerSecond}`, '--no-vacuum', 'postgres'];
    const program = await clientProgram('pgbench', version);
    const pgbench = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...connectionFlags(postgres), ...flags], {
      ...systemUser(),
      cwd: '/',
      stdio: 'ignore',
    });
    const load = new Load(postgres, pgbench, writer, rows[0]?.last ?? 0);
    try {
      await load.goesOn();
      return load;
    } catch (error) {
      pgbench.kill();
      throw error;
    }
  }

  private constructor(postgres: TestPostgres, pgbench: ChildProcess, writer: Client, lastCommitted: number) {
    this.#postgres = postgres;
    this.#pgbench = pgbench;
    this.#writer = writer;
    this.#lastCommitted = lastCommitted;
    this.#writing = this.#write();
    this.#writing.catch(() => {}); // whoever waits for the load hears of it
  }

  /** The highest id of the ledger that is known to be committed; it has all below, too. */
  get lastCommitted(): number {
    return this.#lastCommitted;
  }

  /** Waits until both have committed more than they had. */
  async goesOn(): Promise<void> {
    const before = [this.lastCommitted, await this.#pgbenchRows()] as const;
    const more = async () => this.lastCommitted > before[0] && (await this.#pgbenchRows()) > before[1];
    await Promise.race([waitFor(more, { withinMs: 30_000, what: 'the load goes on' }), this.#writing]);
  }

  /** Ends it, and resolves once nothing of it is under way in the server. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#writing;
    await this.#writer.end().catch(() => {});
    if (this.#pgbench.exitCode !== null || this.#pgbench.signalCode !== null) assert.fail('pgbench ended by itself');
    this.#pgbench.kill();
    await once(this.#pgbench, 'exit');
    const none = async () => (await this.#postgres.query(`SELECT FROM pg_stat_activity WHERE application_name = 'pgbench'`)).length === 0;
    await waitFor(none, { withinMs: 30_000, what: 'the last transactions of pgbench have ended' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isStopping) await this.stop();
  }

  async #write(): Promise<void> {
    while (!this.#isStopping) {
      const id = this.#lastCommitted + 1;
      await this.#writer.query('INSERT INTO ledger VALUES ($1::int, md5($1::int::text))', [id]);
      this.#lastCommitted = id;
      await delay(pauseMs);
    }
  }

  async #pgbenchRows(): Promise<number> {
    const [row] = await this.#postgres.query('SELECT count(*)::int AS rows FROM pgbench_history');
    return row?.['rows'] as number;
  }
}

/** The highest id of a ledger that is whole up to there. Throws for one that has gaps or other entries than were written. */
export async function wholeLedger(postgres: TestPostgres): Promise<number> {
  const [row] = await postgres.query(`
    SELECT count(*)::int AS rows, coalesce(max(id), 0) AS last, count(*) FILTER (WHERE entry <> md5(id::text))::int AS wrong FROM ledger`);
  const last = row?.['last'] as number;
  assert.deepEqual(row, { rows: last, last, wrong: 0 });
  return last;
}

/** pgbench's own invariant: every transaction adds the same amount to an account, a teller, a branch and the history. */
export async function assertPgbenchBalanced(postgres: TestPostgres): Promise<void> {
  const [row] = await postgres.query(`
    SELECT (SELECT sum(abalance) FROM pgbench_accounts) AS accounts, (SELECT sum(tbalance) FROM pgbench_tellers) AS tellers,
           (SELECT sum(bbalance) FROM pgbench_branches) AS branches, (SELECT sum(delta) FROM pgbench_history) AS history`);
  assert.equal(new Set(Object.values(row ?? {})).size, 1, `pgbench's sums differ: ${JSON.stringify(row)}`);
}
