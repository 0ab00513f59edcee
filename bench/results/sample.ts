import type { Cost } from '../meter/meter.ts';

export type Cache = 'warm' | 'cold';

/** One tool did one thing once. */
export interface Sample extends Cost {
  /** `base backup`, `restore`, `archive a backlog`, … */
  readonly what: string;
  /** What is alike among those that are compared: `fast, plain`. */
  readonly flavour: string;
  readonly cache: Cache;
  readonly tool: string;
  readonly round: number;
  /** What was done that can be counted: segments. 1 for a base backup. */
  readonly units: number;
  /** Of what is kept. */
  readonly storedBytes?: number;
  /** Of the time, PostgreSQL's startup process replayed WAL, instead of waiting for it. */
  readonly busyShare?: number;
}

/** A sample as it is made: told at once, and kept. */
export type Recorder = (sample: Sample) => void;
