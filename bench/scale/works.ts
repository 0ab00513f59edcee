import { closeSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { splitIntoChunks } from '../../src/basebackup/chunks.ts';
import { lookIn } from '../../src/basebackup/look-at-names.job.ts';
import { chunkMembersMax } from '../../src/basebackup/plan.ts';
import { sealChunk } from '../../src/basebackup/seal-chunk.job.ts';
import { walkCluster } from '../../src/basebackup/walk.ts';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { CodecPool } from '../../src/codec/pool.ts';
import { LocalStore } from '../../src/storage/local/driver.ts';
import { makeStore, siteName } from '../store/made-store.ts';

/** How to make a thing of a size, and what to do with it. */
export interface ScaleWork {
  readonly what: string;
  readonly unit: 'file' | 'segment' | 'GiB';
  readonly make: (directory: string, count: number) => Promise<void>;
  readonly run: (directory: string) => Promise<void>;
}

const threads = 2;
const signal = new AbortController().signal;
/** Within one directory, as within one database. */
const filesPerDirectory = 100_000;
const fileBytes = 8192;
const chunkBytes = 256 * 2 ** 20;
const gibibyte = 2 ** 30;

export const scaleWorks: readonly ScaleWork[] = [
  { what: 'pack files of 8 KiB', unit: 'file', make: makeFiles, run: packCluster },
  { what: 'list stored segments', unit: 'segment', make: (directory, count) => makeStore(join(directory, 'store'), count), run: listWal },
  { what: 'pack one large file', unit: 'GiB', make: makeLargeFile, run: packCluster },
];

async function makeFiles(directory: string, count: number): Promise<void> {
  const page = Buffer.alloc(fileBytes, 'page of a table ');
  for (let number = 0; number < count; number++) {
    const folder = join(directory, 'data/base', String(1 + Math.floor(number / filesPerDirectory)));
    if (number % filesPerDirectory === 0) mkdirSync(folder, { recursive: true });
    const fd = openSync(join(folder, String(16_384 + number)), 'w');
    writeSync(fd, page);
    closeSync(fd);
  }
}

/** Sparse: zeros take no room on the disk, and are read like anything else. */
async function makeLargeFile(directory: string, count: number): Promise<void> {
  mkdirSync(join(directory, 'data/base/1'), { recursive: true });
  const fd = openSync(join(directory, 'data/base/1/16384'), 'w');
  ftruncateSync(fd, count * gibibyte);
  closeSync(fd);
}

/** What a base backup does with files, without a server and a store. */
async function packCluster(directory: string): Promise<void> {
  await using pool = new CodecPool(threads);
  const look = lookIn(pool, { signal });
  const walk = walkCluster(join(directory, 'data'), { major: '15', tablespaces: [], onSkipped: () => {}, look });
  const running = new Set<Promise<unknown>>();
  for await (const { members, number } of splitIntoChunks(walk, { targetBytes: chunkBytes, membersMax: chunkMembersMax })) {
    const target = join(directory, `chunk-${number}`);
    const job = pool
      .run(sealChunk, { members, target, seal: { compression: { algorithm: 'snappy', level: 0 } } })
      .finally(() => running.delete(job));
    running.add(job);
    if (running.size > threads) await Promise.race(running);
  }
  await Promise.all(running);
}

async function listWal(directory: string): Promise<void> {
  const catalog = new Catalog(new LocalStore({ directory: join(directory, 'store') }), new SiteKeys(siteName));
  let previous = '';
  for await (const { key } of catalog.store.list(catalog.keys.walPrefix, { signal })) previous = key;
  if (previous === '') throw new Error('nothing is stored');
}
