import type { RecoverabilityFacts } from '../../catalog/recoverability/facts.ts';
import { type FoundRecoverability, findRecoverability } from '../../catalog/recoverability/find-recoverability.ts';
import type { StoredLine } from '../../catalog/recoverability/stored-line.ts';
import type { SiteHealthView } from './health-view.ts';
import { type Restorability, restorabilityOf } from './restorability.ts';

/** What the parts of a site's health are found from. */
export interface Findings {
  readonly view: SiteHealthView;
  /** What a restore follows that names no timeline. */
  readonly line: StoredLine | undefined;
  /** Undefined where it is not known what is stored. */
  readonly found: FoundRecoverability | undefined;
  readonly restorability: Restorability | undefined;
}

export type RecoverabilityFinder = (facts: RecoverabilityFacts) => FoundRecoverability;

export function findingsOf(view: SiteHealthView, find: RecoverabilityFinder = findRecoverability): Findings {
  const facts = factsOf(view);
  if (typeof facts === 'string') return { view, line: undefined, found: undefined, restorability: undefined };
  const found = find(facts);
  return { view, line: found.byDefault?.line, found, restorability: restorabilityOf(found, facts.basebackups.entries) };
}

/** Or why nobody knows which moments can be restored. */
export function factsOf({ wal, servers, backups, knowledge }: SiteHealthView): RecoverabilityFacts | string {
  const { listing: basebackups } = backups;
  if (basebackups === undefined) return 'the base backups in the store have not been listed yet';
  if (wal === undefined) return { ...knowledge, basebackups, servers, archive: undefined, beginning: undefined };
  const { archive, gaps, beginning } = wal;
  if (typeof archive === 'string') return `it is not known which WAL is stored: ${archive}`;
  if (gaps === undefined) return 'it is not known which WAL is stored: what is stored has not been looked through yet';
  return { ...knowledge, basebackups, servers, archive, beginning };
}
