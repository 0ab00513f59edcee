import type { TimelineSwitch } from '../postgres/timeline-history.ts';
import type { Finding } from './finding.ts';

/** How a segment begins and ends, in order that it can be compared with its neighbours. */
export interface WalEdges {
  readonly systemIdentifier: bigint | undefined;
  /** Bytes of a record of the segment before; 0: none. */
  readonly begins: number;
  /** A record was given up after a crash, and the WAL goes on without its rest. */
  readonly isOverwritten: boolean;
  /** Bytes of a record that the next segment must have; undefined: that cannot be known. */
  readonly ends: number | undefined;
}

/** What became of a file that was read. */
export interface CheckedFile {
  readonly name: string;
  readonly finding?: Finding;
  /** It is not there any more: retention was faster. */
  readonly isGone?: boolean;
  /** Of a segment that is sound. */
  readonly edges?: WalEdges;
  /** Of a history. */
  readonly switches?: readonly TimelineSwitch[];
}
