import { z } from 'zod';
import type { TestDaemon } from '../../test/support/daemon.ts';
import { descendantsOf } from '../../test/support/process-tree.ts';

export const figureNames = ['memory', 'heap', 'open files', 'threads', 'timers', 'other handles', 'children'] as const;
export type FigureName = (typeof figureNames)[number];

/** What the daemon holds at one moment; memory in MiB. */
export interface Sample {
  readonly hours: number;
  readonly figures: Readonly<Record<FigureName, number>>;
}

const status = z.object({
  pghoard: z.object({
    process: z.object({
      pid: z.number(),
      memory_bytes: z.number(),
      heap_bytes: z.number(),
      open_files: z.number(),
      threads: z.number(),
      resources: z.record(z.string(), z.number()),
    }),
  }),
});

const mebibyte = 2 ** 20;

/** By its own word, but for its children. */
export async function takeSample(daemon: TestDaemon, hours: number): Promise<Sample> {
  const { process: own } = status.parse(await (await daemon.request('GET', '/status')).json()).pghoard;
  const { Timeout: timers = 0, ...others } = own.resources;
  return {
    hours,
    figures: {
      memory: own.memory_bytes / mebibyte,
      heap: own.heap_bytes / mebibyte,
      'open files': own.open_files,
      threads: own.threads,
      timers,
      'other handles': Object.values(others).reduce((sum, count) => sum + count, 0),
      children: descendantsOf(own.pid).length,
    },
  };
}
