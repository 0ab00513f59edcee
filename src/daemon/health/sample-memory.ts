import { type ClockSetBack, type ServerSample, samplesMax, withSample } from '../../catalog/recoverability/server-samples.ts';
import { formatLsn, parseLsn } from '../../postgres/lsn.ts';

/** What the samples of a site's primary tell. */
export interface SampleKnowledge {
  readonly cluster: bigint | undefined;
  readonly nextXid: string | undefined;
  readonly clockSetBack: ClockSetBack | undefined;
  readonly samples: readonly ServerSample[];
}

/** The same in the state file. */
export interface SampleMemory {
  readonly system_identifier: string | null;
  readonly next_xid: string | null;
  /** Time, timeline and position. */
  readonly clock_set_back: string | null;
  /** Time, timeline, position of the last commit and end of the WAL of each, oldest first. */
  readonly samples: readonly string[];
}

export function memoryOf({ cluster, nextXid, clockSetBack, samples }: SampleKnowledge): SampleMemory {
  return {
    system_identifier: cluster === undefined ? null : String(cluster),
    next_xid: nextXid ?? null,
    clock_set_back: clockSetBack === undefined ? null : momentText(clockSetBack.to, clockSetBack),
    samples: samples.map((sample) => `${momentText(sample.time, sample)} ${formatLsn(sample.flushed)}`),
  };
}

/** `memory`: of any version. What cannot be understood, or is not in order, is left out: samples are taken anew soon. */
export function knowledgeOf(memory: unknown): SampleKnowledge {
  const found = (typeof memory === 'object' && memory !== null ? memory : {}) as Partial<Record<keyof SampleMemory, unknown>>;
  const { system_identifier: cluster, next_xid: nextXid, clock_set_back: setBack, samples } = found;
  if (!/^\d{1,20}$/.test(String(cluster)) || !Array.isArray(samples)) {
    return { cluster: undefined, nextXid: undefined, clockSetBack: undefined, samples: [] };
  }
  const parsed = samples.slice(-samplesMax).flatMap((text: unknown) => parseSample(String(text)) ?? []);
  return {
    cluster: BigInt(String(cluster)),
    nextXid: typeof nextXid === 'string' ? nextXid : undefined,
    clockSetBack: parseSetBack(String(setBack)),
    samples: parsed.reduce<readonly ServerSample[]>((kept, next) => withSample(kept, next, undefined), []),
  };
}

function momentText(time: Date, { timeline, lsn }: Pick<ServerSample, 'timeline' | 'lsn'>): string {
  return `${time.toISOString()} ${timeline} ${formatLsn(lsn)}`;
}

const moment = /^(\d{4}-\S+Z) (\d{1,10}) ([0-9A-F]{1,8}\/[0-9A-F]{1,8})(?: ([0-9A-F]{1,8}\/[0-9A-F]{1,8}))?$/;

function parseSample(text: string): ServerSample | undefined {
  const [, time = '', timeline, lsn = '', flushed] = moment.exec(text) ?? [];
  if (flushed === undefined || Number.isNaN(Date.parse(time))) return undefined;
  return { time: new Date(time), timeline: Number(timeline), lsn: parseLsn(lsn), flushed: parseLsn(flushed) };
}

function parseSetBack(text: string): ClockSetBack | undefined {
  const [, time = '', timeline, lsn] = moment.exec(text) ?? [];
  if (lsn === undefined || Number.isNaN(Date.parse(time))) return undefined;
  return { to: new Date(time), timeline: Number(timeline), lsn: parseLsn(lsn) };
}
