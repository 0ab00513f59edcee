import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { StoreClient } from './contest.ts';

export interface Transfers {
  /** Each resolves to the seconds of CPU that it took. */
  readonly put: (key: string, file: string) => Promise<number>;
  readonly get: (key: string, file: string) => Promise<number>;
}

/** A program that sends and fetches files. Its CPU is counted, ours for starting it is not. */
export function programClient(name: string, directory: string, transfers: Transfers): StoreClient {
  let cpuSeconds = 0;
  const sent = join(directory, 'sent');
  const fetched = join(directory, 'fetched');
  return {
    name,
    cpuSeconds: () => cpuSeconds,
    prepare: async (source) => pipeline(source.open(), createWriteStream(sent)),
    put: async (key) => void (cpuSeconds += await transfers.put(key, sent)),
    get: async (key) => {
      cpuSeconds += await transfers.get(key, fetched);
      return (await stat(fetched)).size;
    },
    close: async () => {},
  };
}
