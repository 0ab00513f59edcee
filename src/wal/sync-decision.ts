/** What the archive says of a file that it has. */
export interface ArchivedWal {
  /** Digest of the content as the uploader computed it, by an algorithm of node:crypto. Old versions stored none. */
  readonly hash?: string | undefined;
  readonly hashAlgorithm?: string | undefined;
}

export interface SyncLimits {
  /** How many files are compared at most; negative: all. */
  readonly hashChecksMax: number;
}

/** What the walk through the files has done so far. */
export interface SyncProgress {
  readonly hashChecks: number;
  readonly offeredWithoutHash: boolean;
}

export const syncStart: SyncProgress = { hashChecks: 0, offeredWithoutHash: false };

export interface SyncStep {
  /** `compare`: by the digest; what differs is to be archived. */
  readonly do: 'archive' | 'accept' | 'compare';
  readonly progress: SyncProgress;
}

/**
 * What to do about a local file. One of those that the archive has without a digest is offered again, the newest: it is the likeliest to have
 * been cut short by whatever was archiving when things went wrong. History files have none, and are small enough to be right.
 */
export function nextSyncStep(
  kind: 'history' | 'segment',
  archived: ArchivedWal | undefined,
  progress: SyncProgress,
  { hashChecksMax }: SyncLimits,
): SyncStep {
  if (archived === undefined) return { do: 'archive', progress };
  if (kind === 'history') return { do: 'accept', progress };
  if (archived.hash === undefined || archived.hashAlgorithm === undefined) {
    return { do: progress.offeredWithoutHash ? 'accept' : 'archive', progress: { ...progress, offeredWithoutHash: true } };
  }
  if (hashChecksMax >= 0 && progress.hashChecks >= hashChecksMax) return { do: 'accept', progress };
  return { do: 'compare', progress: { ...progress, hashChecks: progress.hashChecks + 1 } };
}
