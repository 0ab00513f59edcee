import type { Clock } from '../../lib/clock.ts';
import { formatLsn, parseLsn } from '../../postgres/lsn.ts';
import { type ServerSample, samplesMax, withSample } from './server-samples.ts';

/** A sample is written down a little after it was taken. */
const slackMs = 5_000;

/** What the state file keeps of a {@link SampleBook}. */
export interface SampleMemory {
  readonly system_identifier: string | null;
  /** Time, timeline and position of each, oldest first. */
  readonly samples: readonly string[];
}

/** Where the primary of a site was and when: what WAL that is stored is compared with, to tell which second it reaches. */
export class SampleBook {
  readonly #clock: Clock;
  #cluster: bigint | undefined;
  #samples: readonly ServerSample[];
  #addedAtMs: number | undefined;

  /** `memory`: what an earlier process left, of any version. */
  constructor(clock: Clock, memory?: unknown) {
    this.#clock = clock;
    const { cluster, samples } = remembered(memory);
    this.#cluster = cluster;
    this.#samples = samples;
  }

  get samples(): readonly ServerSample[] {
    return this.#samples;
  }

  /** How long ago the last one was taken; undefined where that was in an earlier life. */
  get sampledMsAgo(): number | undefined {
    return this.#addedAtMs === undefined ? undefined : this.#clock.monotonicMs() - this.#addedAtMs;
  }

  get memory(): SampleMemory {
    return { system_identifier: this.#cluster === undefined ? null : String(this.#cluster), samples: this.#samples.map(inWords) };
  }

  /** Of another cluster than the one before: that one's say nothing any more. */
  add(sample: ServerSample, cluster: bigint): void {
    if (this.#cluster !== cluster) this.#samples = [];
    this.#cluster = cluster;
    const elapsedMs = this.sampledMsAgo;
    this.#samples = withSample(this.#samples, sample, elapsedMs === undefined ? undefined : elapsedMs + slackMs);
    this.#addedAtMs = this.#clock.monotonicMs();
  }
}

function inWords({ time, timeline, lsn }: ServerSample): string {
  return `${time.toISOString()} ${timeline} ${formatLsn(lsn)}`;
}

/** What cannot be understood, or is not in order, is left out: the samples behind it are taken anew soon. */
function remembered(memory: unknown): { readonly cluster: bigint | undefined; readonly samples: readonly ServerSample[] } {
  const { system_identifier: cluster, samples } = (typeof memory === 'object' && memory !== null ? memory : {}) as Partial<SampleMemory>;
  if (!/^\d{1,20}$/.test(String(cluster)) || !Array.isArray(samples)) return { cluster: undefined, samples: [] };
  const parsed = samples.slice(-samplesMax).flatMap((text: unknown) => parse(String(text)) ?? []);
  return {
    cluster: BigInt(String(cluster)),
    samples: parsed.reduce<readonly ServerSample[]>((kept, next) => withSample(kept, next, undefined), []),
  };
}

function parse(text: string): ServerSample | undefined {
  const [, time = '', timeline, lsn = ''] = /^(\S+) (\d{1,10}) ([0-9A-F]{1,8}\/[0-9A-F]{1,8})$/.exec(text) ?? [];
  const date = new Date(time);
  return timeline === undefined || Number.isNaN(date.getTime())
    ? undefined
    : { time: date, timeline: Number(timeline), lsn: parseLsn(lsn) };
}
