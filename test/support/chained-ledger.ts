import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, type QueryResult } from 'pg';
import type { TestPostgres } from './postgres.ts';
import { waitFor } from './wait-for.ts';

/** Between two transactions, which leaves processor time to what is tested; and between two attempts on a server that is down. */
const pauseMs = 4;

const append = `
  INSERT INTO ledger SELECT id + 1, entry, md5(entry || (id + 1)) FROM ledger ORDER BY id DESC LIMIT 1 RETURNING id`;

/**
 * A ledger in which each row carries a hash of all rows before it, so that not one of them can be lost unseen. Written one transaction at a
 * time, whatever happens to the server meanwhile.
 */
export class ChainedLedger implements AsyncDisposable {
  readonly #postgres: TestPostgres;
  #acknowledged = 0;
  #isStopping = false;
  #writing: Promise<void> = Promise.resolve();

  static async begin(postgres: TestPostgres): Promise<ChainedLedger> {
    await postgres.query('CREATE TABLE ledger (id int PRIMARY KEY, previous text NOT NULL, entry text NOT NULL)');
    await postgres.query(`INSERT INTO ledger VALUES (0, '', md5(''))`);
    return ChainedLedger.continue(postgres);
  }

  /** Goes on with the one that the server has. */
  static continue(postgres: TestPostgres): ChainedLedger {
    const ledger = new ChainedLedger(postgres);
    ledger.resume();
    return ledger;
  }

  private constructor(postgres: TestPostgres) {
    this.#postgres = postgres;
  }

  /** The highest id whose commit has returned. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Waits until some more rows are acknowledged. */
  async goesOn(rows = 20): Promise<void> {
    const enough = this.#acknowledged + rows;
    const what = () => `${enough} rows are acknowledged; the last one is ${this.#acknowledged}`;
    await Promise.race([waitFor(() => this.#acknowledged >= enough, { withinMs: 30_000, what }), this.#writing]);
  }

  resume(): void {
    this.#isStopping = false;
    this.#writing = this.#write();
    this.#writing.catch(() => {}); // who stops it hears of it
  }

  /** Resolves once no transaction is under way. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await this.#writing.catch(() => {});
  }

  async #write(): Promise<void> {
    while (!this.#isStopping) {
      await this.#writeUntilCut();
      await delay(pauseMs);
    }
  }

  /** A lost connection leaves it open whether the last row is there; the next row is chained to whatever is. */
  async #writeUntilCut(): Promise<void> {
    const client = new Client({ host: this.#postgres.socketDirectory, port: this.#postgres.port, user: 'postgres', database: 'postgres' });
    client.on('error', () => {});
    try {
      await client.connect();
      while (!this.#isStopping) {
        this.#acknowledge(await client.query<{ id: number }>(append));
        await delay(pauseMs);
      }
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    } finally {
      await client.end().catch(() => {});
    }
  }

  #acknowledge({ rows: [row] }: QueryResult<{ id: number }>): void {
    assert(row && row.id > this.#acknowledged, `the server lost row ${this.#acknowledged}, which it had acknowledged`);
    this.#acknowledged = row.id;
  }
}

/** The highest id of a ledger whose chain is whole up to there. */
export async function wholeChain(postgres: TestPostgres): Promise<number> {
  const [row] = await postgres.query(`
    SELECT count(*)::int - 1 AS rows, max(id) AS last,
           count(*) FILTER (WHERE id > 0 AND (previous IS DISTINCT FROM before OR entry <> md5(previous || id)))::int AS broken
    FROM (SELECT *, lag(entry) OVER (ORDER BY id) AS before FROM ledger) AS chain`);
  const last = row?.['last'] as number;
  assert.deepEqual(row, { rows: last, last, broken: 0 }, 'the chain of the ledger is whole');
  return last;
}
