import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { TestDaemon } from '../../test/support/daemon.ts';
import { descendantsOf } from '../../test/support/process-tree.ts';

export const figureNames = ['resident', 'memory', 'heap', 'open files', 'threads', 'timers', 'other handles', 'children'] as const;
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

/**
 * By its own word, but for its children and its memory: that is what it has asked for. What is resident also has the pages of Node's program file, which are mapped as they are first
 * run, are the same for all processes of that Node, and go where the kernel lacks room.
 */
export async function takeSample(daemon: TestDaemon, hours: number): Promise<Sample> {
  const { process: own } = status.parse(await (await daemon.request('GET', '/status')).json()).pghoard;
  const { Timeout: timers = 0, ...others } = own.resources;
  return {
    hours,
    figures: {
      resident: own.memory_bytes / mebibyte,
      memory: (await ownMemoryBytes(own.pid)) / mebibyte,
      heap: own.heap_bytes / mebibyte,
      'open files': own.open_files,
      threads: own.threads,
      timers,
      'other handles': Object.values(others).reduce((sum, count) => sum + count, 0),
      children: descendantsOf(own.pid).length,
    },
  };
}

/** Anonymous and shared memory (proc_pid_status(5)). */
async function ownMemoryBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  const kibibytes = [...text.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm)].map(([, value]) => Number(value));
  return kibibytes.reduce((sum, value) => sum + value * 1024, 0);
}
