import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** Where figures come from. */
export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly fileSystem: string;
  /** Of the last minute, before the first round: what others do on it meanwhile is no part of the figures, and yet in them. */
  readonly loadBefore: number;
}

/** `directory`: where the data and the stores lie. */
export async function describeMachine(directory: string): Promise<Machine> {
  const freeBytes = await statfs(directory).then(({ bavail, bsize }) => bavail * bsize);
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    fileSystem: `${await fileSystemOf(directory)}, ${(freeBytes / 2 ** 30).toFixed(0)} GiB free`,
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** The type of the longest mount point above the directory. */
async function fileSystemOf(directory: string): Promise<string> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const above = mounts.filter(([, point = '']) => point !== '' && `${directory}/`.startsWith(point === '/' ? '/' : `${point}/`));
  return above.toSorted(([, a = ''], [, b = '']) => b.length - a.length)[0]?.[2] ?? 'unknown';
}
