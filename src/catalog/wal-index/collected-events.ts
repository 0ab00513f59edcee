import type {
  CheckpointRecord,
  RestorePointRecord,
  TimelineSwitchRecord,
  TransactionOutcome,
  WalRecordSink,
} from '../../postgres/wal-records/wal-record-sink.ts';
import { TransactionList } from './transaction-list.ts';
import type { DatabaseGrowth, IndexedDrop, WalIndex } from './wal-index.ts';

/** Of each of the short lists. */
const listedMax = 1024;
const databasesMax = 1024;

export type WalEvents = Pick<
  WalIndex,
  | 'commits'
  | 'aborts'
  | 'prepared'
  | 'times'
  | 'every'
  | 'transactions'
  | 'drops'
  | 'restorePoints'
  | 'checkpoints'
  | 'timelineSwitches'
  | 'databases'
>;

/** What records have told, in bounded memory. */
export class CollectedEvents implements WalRecordSink {
  readonly #transactionsMax: number;
  readonly #transactions = new TransactionList();
  readonly #drops: IndexedDrop[] = [];
  readonly #restorePoints: RestorePointRecord[] = [];
  readonly #checkpoints: CheckpointRecord[] = [];
  readonly #timelineSwitches: TimelineSwitchRecord[] = [];
  readonly #databases = new Map<number, Mutable<DatabaseGrowth>>();
  #commits = 0;
  #aborts = 0;
  #prepared = 0;
  #latest = { offset: 0, time: 0, xid: 0 };

  constructor(transactionsMax: number) {
    this.#transactionsMax = transactionsMax;
  }

  get all(): WalEvents {
    return {
      commits: this.#commits,
      aborts: this.#aborts,
      prepared: this.#prepared,
      times: this.#transactions.span,
      every: this.#transactions.every,
      transactions: this.#transactions.columns,
      drops: this.#drops,
      restorePoints: this.#restorePoints,
      checkpoints: this.#checkpoints,
      timelineSwitches: this.#timelineSwitches,
      databases: this.#databases,
    };
  }

  transaction(outcome: TransactionOutcome, offset: number, time: number, xid: number): void {
    if (outcome === 'commit' || outcome === 'commit-prepared') this.#commits++;
    else this.#aborts++;
    this.#latest = { offset, time, xid };
    this.#transactions.add(outcome, offset, time, xid, this.#transactionsMax);
  }

  filesDropped(byDatabase: ReadonlyMap<number, number>): void {
    let files = 0;
    for (const [database, count] of byDatabase) {
      files += count;
      this.#grow(database, 'filesDropped', count);
    }
    addTo(this.#drops, { ...this.#latest, files });
  }

  transactionPrepared(): void {
    this.#prepared++;
  }

  checkpoint(checkpoint: CheckpointRecord): void {
    addTo(this.#checkpoints, checkpoint);
  }

  timelineSwitch(change: TimelineSwitchRecord): void {
    addTo(this.#timelineSwitches, change);
  }

  restorePoint(point: RestorePointRecord): void {
    addTo(this.#restorePoints, point);
  }

  fileCreated(database: number): void {
    this.#grow(database, 'filesCreated', 1);
  }

  fileTruncated(database: number): void {
    this.#grow(database, 'filesTruncated', 1);
  }

  pagesMade(database: number, pages: number): void {
    this.#grow(database, 'pagesMade', pages);
  }

  #grow(database: number, what: keyof DatabaseGrowth, count: number): void {
    let growth = this.#databases.get(database);
    if (growth === undefined) {
      if (this.#databases.size >= databasesMax) return;
      growth = { pagesMade: 0, filesCreated: 0, filesTruncated: 0, filesDropped: 0 };
      this.#databases.set(database, growth);
    }
    growth[what] += count;
  }
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Of very many the last ones stay. */
function addTo<T>(list: T[], item: T): void {
  if (list.length >= listedMax) list.splice(0, listedMax / 2);
  list.push(item);
}
