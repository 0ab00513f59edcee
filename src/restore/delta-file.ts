/** A file of a delta backup that is in no bundle. */
export interface DeltaFile {
  /** Below the data directory; not judged yet. */
  readonly path: string;
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Of the object that is its content; absent: `base64` is. */
  readonly hexdigest?: string;
  readonly base64?: string;
}
