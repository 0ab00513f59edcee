/** A directory that a restore will fill, and what must be done to it first. */
export interface TargetDirectory {
  /** Absolute, links resolved as far as it exists. */
  readonly path: string;
  readonly purpose: 'data directory' | `tablespace '${string}'`;
  /** `unfinished`: a restore was stopped there, and may go on. */
  readonly state: 'absent' | 'empty' | 'to-be-emptied' | 'to-be-reused' | 'unfinished';
}
