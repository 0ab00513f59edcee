import { execFile } from 'node:child_process';
import { join } from 'node:path';

/** What pg_waldump says of the records that an index of WAL knows of. */
export interface DumpedWal {
  /** `LSN outcome xid time`, in the order of the WAL; times in microseconds. */
  readonly transactions: readonly string[];
  readonly prepared: number;
  /** `LSN files` */
  readonly drops: readonly string[];
  /** `LSN name` */
  readonly restorePoints: readonly string[];
  /** `LSN redo timeline kind` */
  readonly checkpoints: readonly string[];
  /** `LSN timeline previous` */
  readonly timelineSwitches: readonly string[];
  /** By database: pages of heaps and btrees, and pages that were built elsewhere. */
  readonly pages: ReadonlyMap<number, number>;
  readonly created: ReadonlyMap<number, number>;
  readonly truncated: ReadonlyMap<number, number>;
  readonly dropped: ReadonlyMap<number, number>;
  /** Records of other indexes, whose pages are not counted here. */
  readonly otherIndexRecords: number;
}

const outcomes: Readonly<Record<string, string>> = {
  COMMIT: 'commit',
  ABORT: 'abort',
  COMMIT_PREPARED: 'commit-prepared',
  ABORT_PREPARED: 'abort-prepared',
};

/** Runs pg_waldump over segments of a timeline, from `first` to `last`. */
export async function dumpWal(bin: string, directory: string, timeline: number, first: string, last: string): Promise<DumpedWal> {
  const args = ['--path', directory, '--timeline', String(timeline), first, last];
  // What follows the last record is an error for it.
  const text = await new Promise<string>((resolve) => {
    const env = { ...process.env, TZ: 'UTC', PGTZ: 'UTC' };
    execFile(join(bin, 'pg_waldump'), args, { env, maxBuffer: 1 << 30 }, (_, stdout) => resolve(stdout));
  });
  return parseDump(text);
}

/** In the form that pg_waldump prints. */
export function parseDump(text: string): DumpedWal {
  const found = { transactions: [], drops: [], restorePoints: [], checkpoints: [], timelineSwitches: [] } as Record<string, string[]>;
  const [pages, created, truncated, dropped] = [new Map(), new Map(), new Map(), new Map()] as Map<number, number>[] as [
    Map<number, number>,
    Map<number, number>,
    Map<number, number>,
    Map<number, number>,
  ];
  let prepared = 0;
  let otherIndexRecords = 0;
  for (const line of text.split('\n')) {
    const match = /^rmgr: (\S+)\s+len.*? tx:\s+(\d+), lsn: (\S+), prev \S+, desc: (\S+) ?(.*)$/.exec(line);
    if (match === null) continue;
    const [, manager, tx, rawLsn, what, desc] = match as unknown as [string, string, string, string, string, string];
    const lsn = normalLsn(rawLsn);
    if (manager === 'Transaction' && outcomes[what] !== undefined) {
      const [, xid, time] = /^(?:(\d+): )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6})/.exec(desc) ?? [];
      found['transactions']?.push(`${lsn} ${outcomes[what]} ${xid ?? tx} ${microseconds(time ?? '')}`);
      const files = /; rels: ([^;]*)/.exec(desc)?.[1]?.split(' ') ?? [];
      if (what.startsWith('COMMIT') && files.length > 0) found['drops']?.push(`${lsn} ${files.length}`);
      if (what.startsWith('COMMIT')) for (const file of files) add(dropped, databaseOf(file));
    }
    if (manager === 'Transaction' && what === 'PREPARE') prepared++;
    if (manager === 'XLOG' && what === 'RESTORE_POINT') found['restorePoints']?.push(`${lsn} ${desc}`);
    if (manager === 'XLOG' && what.startsWith('CHECKPOINT_') && what !== 'CHECKPOINT_REDO') {
      const [, redo, line1, before] = /^redo ([^;]+); tli (\d+); prev tli (\d+)/.exec(desc) ?? [];
      if (line1 !== before) found['timelineSwitches']?.push(`${lsn} ${line1} ${before}`);
      found['checkpoints']?.push(`${lsn} ${normalLsn(redo ?? '')} ${line1} ${what === 'CHECKPOINT_SHUTDOWN' ? 'shutdown' : 'online'}`);
    }
    if (manager === 'XLOG' && what === 'END_OF_RECOVERY') {
      const [, now, before] = /^tli (\d+); prev tli (\d+)/.exec(desc) ?? [];
      found['timelineSwitches']?.push(`${lsn} ${now} ${before}`);
    }
    if (manager === 'Storage' && what === 'CREATE') add(created, databaseOf(desc));
    if (manager === 'Storage' && what === 'TRUNCATE') add(truncated, databaseOf(desc));
    const references = [...desc.matchAll(/blkref #\d+: rel \d+\/(\d+)\/\d+ (?:fork \w+ )?blk/g)].filter(
      ([all]) => !/fork (?!main)/.test(all),
    );
    const isNewFirst = (manager === 'Heap' || manager === 'Heap2') && what.endsWith('+INIT');
    if (isNewFirst) add(pages, Number(references[0]?.[1]));
    else if (manager === 'XLOG' && what === 'FPI') for (const reference of references) add(pages, Number(reference[1]));
    // The right page of a split; the new root, and the first page, which says where it is.
    else if (manager === 'Btree' && /^SPLIT_[LR]$/.test(what)) add(pages, Number(references[0]?.[1]));
    else if (manager === 'Btree' && what === 'NEWROOT') for (const _ of [1, 2]) add(pages, Number(references[0]?.[1]));
    else if (['Hash', 'Gin', 'Gist', 'SPGist', 'BRIN'].includes(manager)) otherIndexRecords++;
  }
  const { transactions = [], drops = [], restorePoints = [], checkpoints = [], timelineSwitches = [] } = found;
  return {
    transactions,
    prepared,
    drops,
    restorePoints,
    checkpoints,
    timelineSwitches,
    pages,
    created,
    truncated,
    dropped,
    otherIndexRecords,
  };
}

/** Newer versions print the lower half with all its digits. */
function normalLsn(text: string): string {
  const [high = '', low = ''] = text.split('/');
  return `${Number.parseInt(high, 16).toString(16)}/${Number.parseInt(low, 16).toString(16)}`.toUpperCase();
}

function microseconds(time: string): number {
  return Date.parse(`${time.slice(0, 10)}T${time.slice(11, 19)}Z`) * 1000 + Number(time.slice(20));
}

/** Of a path such as `base/5/16384`, `global/1262`, `pg_tblspc/16400/PG_15_202209061/5/16401`. */
function databaseOf(path: string): number {
  const directory = path.split(' ')[0]?.split('/').slice(0, -1) ?? [];
  return directory[0] === 'global' ? 0 : Number(directory.at(-1));
}

function add(counts: Map<number, number>, database: number): void {
  counts.set(database, (counts.get(database) ?? 0) + 1);
}
