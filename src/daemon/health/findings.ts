import type { SiteHealthView } from './health-view.ts';
import { type Restorability, restorabilityOf } from './restorability.ts';
import { StoredLine } from './stored-line.ts';

/** What the parts of a site's health are found from. */
export interface Findings {
  readonly view: SiteHealthView;
  readonly line: StoredLine | undefined;
  /** Undefined where it is not known what is stored. */
  readonly restorability: Restorability | undefined;
}

export function findingsOf(view: SiteHealthView): Findings {
  const { wal, servers, backups } = view;
  const { listing } = backups;
  if (listing === undefined) return { view, line: undefined, restorability: undefined };
  if (wal === undefined) return { view, line: undefined, restorability: restorabilityOf(listing.entries, undefined, undefined, servers) };
  const { archive, gaps, beginning } = wal;
  if (typeof archive === 'string' || gaps === undefined) return { view, line: undefined, restorability: undefined };
  const line = StoredLine.of({ archive, gaps, beginning });
  return { view, line, restorability: restorabilityOf(listing.entries, line, archive.segmentBytes, servers) };
}
