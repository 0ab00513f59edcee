import type { Cache, Sample } from './sample.ts';
import { median, type Ratio, ratioOf } from './statistics.ts';

/** How one tool did in all rounds: medians, per unit. */
export interface Row {
  readonly what: string;
  readonly flavour: string;
  readonly cache: Cache;
  readonly tool: string;
  readonly rounds: number;
  /** Of one unit: a base backup, a segment. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  readonly storedBytes?: number;
  readonly busyShare?: number;
  /** Of ours to this tool's; absent in the rows of ours. */
  readonly ratios?: { readonly seconds: Ratio; readonly cpuSeconds: Ratio; readonly storedBytes?: Ratio };
}

const ours = 'pghoard';

/** One row per tool and kind of work, in the order in which they first came, ours ahead. */
export function summarize(samples: readonly Sample[]): Row[] {
  const kinds = Map.groupBy(samples, ({ what, flavour, cache }) => JSON.stringify([what, flavour, cache]));
  return [...kinds.values()].flatMap((alike) => {
    const tools = [...Map.groupBy(alike, ({ tool }) => tool)].toSorted(([a], [b]) => Number(isOurs(b)) - Number(isOurs(a)));
    const own = tools[0]?.[1] ?? [];
    return tools.map(([tool, theirs]) => rowOf(theirs, isOurs(tool) ? undefined : own));
  });
}

function isOurs(tool: string): boolean {
  return tool.startsWith(ours);
}

function rowOf(samples: readonly Sample[], own: readonly Sample[] | undefined): Row {
  const { what, flavour, cache, tool } = samples[0] as Sample;
  const stored = storedOf(samples);
  const busy = samples.flatMap(({ busyShare }) => busyShare ?? []);
  const ownStored = own && storedOf(own);
  const ratios = own && {
    seconds: ratioOf(own.map(secondsOf), samples.map(secondsOf)),
    cpuSeconds: ratioOf(own.map(cpuSecondsOf), samples.map(cpuSecondsOf)),
    ...(stored && ownStored && { storedBytes: ratioOf(ownStored, stored) }),
  };
  return {
    what,
    flavour,
    cache,
    tool,
    rounds: samples.length,
    seconds: median(samples.map(secondsOf)),
    cpuSeconds: median(samples.map(cpuSecondsOf)),
    peakBytes: median(samples.map(({ peakBytes }) => peakBytes)),
    ...(stored && { storedBytes: median(stored) }),
    ...(busy.length > 0 && { busyShare: median(busy) }),
    ...(ratios && { ratios }),
  };
}

function secondsOf({ seconds, units }: Sample): number {
  return seconds / units;
}

function cpuSecondsOf({ cpuSeconds, units }: Sample): number {
  return cpuSeconds / units;
}

function storedOf(samples: readonly Sample[]): readonly number[] | undefined {
  const bytes = samples.flatMap(({ storedBytes }) => storedBytes ?? []);
  return bytes.length === samples.length ? bytes : undefined;
}
