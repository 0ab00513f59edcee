import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { JobRunner } from '../codec/pool.ts';
import type { DeltaFile } from './delta-file.ts';
import { deltaList, type Layout } from './layout.ts';
import { listDeltaFiles } from './list-delta-files.job.ts';
import type { DeltaPart } from './plan.ts';

/** Embedded files that one job writes. */
const embeddedPerJob = 500;

/** Makes the directories of a delta backup, and a list of the files that are in no bundle, in the data directory. Returns where that is. */
export async function listFiles(
  layout: Layout,
  { main, attributes }: DeltaPart,
  { pool, signal, keepOwners }: { readonly pool: JobRunner; readonly signal: AbortSignal; readonly keepOwners: boolean },
): Promise<string> {
  const list = join(layout.dataDirectory, deltaList);
  await pool.run(listDeltaFiles, { main, layout, keepOwners, attributes: attributes?.directory, list }, { signal });
  return list;
}

/**
 * The files in the list, in batches for one job each: a single one with an object of its own, or several embedded ones. However many there are,
 * one batch is in memory. Removes the list at its end.
 */
export async function* batchesIn(list: string): AsyncGenerator<readonly DeltaFile[]> {
  let embedded: DeltaFile[] = [];
  for await (const line of createInterface({ input: createReadStream(list), crlfDelay: Number.POSITIVE_INFINITY })) {
    const file = JSON.parse(line) as DeltaFile;
    if (file.hexdigest !== undefined) {
      yield [file];
      continue;
    }
    embedded.push(file);
    if (embedded.length < embeddedPerJob) continue;
    yield embedded;
    embedded = [];
  }
  if (embedded.length > 0) yield embedded;
  await rm(list);
}
