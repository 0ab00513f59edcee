import type { Applicant } from '../catalog/identity-keeper.ts';
import type { Metadata } from '../storage/object-store.ts';

/** The object whose upload makes a backup visible, finished in the spool. */
export interface MainObject {
  readonly key: string;
  readonly path: string;
  readonly storedBytes: number;
  readonly metadata: Metadata;
  /** The cluster that it is a backup of. */
  readonly cluster: Applicant;
}
