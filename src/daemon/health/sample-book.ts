import { type ClockSetBack, clockSetBackTo, type ServerSample, withSample } from '../../catalog/recoverability/server-samples.ts';
import type { Clock } from '../../lib/clock.ts';
import { knowledgeOf, memoryOf, type SampleKnowledge, type SampleMemory } from './sample-memory.ts';

/** A primary as it was asked. */
export interface SampledPrimary extends ServerSample {
  readonly systemIdentifier: bigint;
  /** The next transaction that can end; undefined where one is under way, or nobody knows. */
  readonly nextXid: string | undefined;
}

/** Where the primary of a site was and when: what WAL that is stored is compared with, to tell which second it reaches. */
export class SampleBook {
  readonly #clock: Clock;
  #known: SampleKnowledge;
  #addedAtMs: number | undefined;

  /** `memory`: what an earlier process left, of any version. */
  constructor(clock: Clock, memory?: unknown) {
    this.#clock = clock;
    this.#known = knowledgeOf(memory);
  }

  get samples(): readonly ServerSample[] {
    return this.#known.samples;
  }

  /** The last time that it was seen. */
  get clockSetBack(): ClockSetBack | undefined {
    return this.#known.clockSetBack;
  }

  /** How long ago the last sample was taken; undefined where that was in an earlier life. */
  get sampledMsAgo(): number | undefined {
    return this.#addedAtMs === undefined ? undefined : this.#clock.monotonicMs() - this.#addedAtMs;
  }

  get memory(): SampleMemory {
    return memoryOf(this.#known);
  }

  /**
   * Of another cluster than the one before: that one's say nothing any more. Where no transaction has ended since the last one, what the server has written since
   * commits nothing: such as checkpoints while it is idle.
   */
  add({ systemIdentifier: cluster, time, timeline, lsn, flushed, nextXid }: SampledPrimary): void {
    const known = this.#known.cluster === cluster ? this.#known : knowledgeOf(undefined);
    const last = known.samples.at(-1);
    const isQuiet = nextXid !== undefined && nextXid === known.nextXid && last?.timeline === timeline;
    const sample = { time, timeline, lsn: isQuiet ? last.lsn : lsn, flushed };
    const elapsedMs = this.sampledMsAgo;
    const to = clockSetBackTo(last, sample, elapsedMs);
    this.#known = {
      cluster,
      nextXid,
      clockSetBack: to === undefined ? known.clockSetBack : { to: earlier(to, known.clockSetBack?.to ?? to), timeline, lsn: sample.lsn },
      samples: withSample(known.samples, sample, elapsedMs),
    };
    this.#addedAtMs = this.#clock.monotonicMs();
  }
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}
