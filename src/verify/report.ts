import type { Finding, Severity } from './finding.ts';

/** What verification of a site has come to. */
export interface VerifyReport {
  readonly site: string;
  readonly begun: Date;
  readonly ended: Date;
  /** The worst that was found. */
  readonly result: 'sound' | Severity;
  /** Everything that is stored of base backups and WAL. */
  readonly stored: Amount;
  /** What was read now. */
  readonly read: Amount;
  /** What nobody has ever read, or what has changed since. */
  readonly unproven: Amount;
  /** When what was read longest ago was read; undefined: nothing was, or everything that is stored is unproven. */
  readonly oldestProof: Date | undefined;
  readonly basebackups: { readonly stored: number; readonly sound: number; readonly damaged: number; readonly unproven: number };
  /** WAL segments without an index. */
  readonly withoutIndex: number;
  /** What was found now. */
  readonly findings: readonly Finding[];
  /** All that is known to be damaged, also what was found earlier and not read again now. */
  readonly damaged: readonly Finding[];
  /** Why not everything was read that was to be. */
  readonly stoppedBy: 'budget' | 'store' | undefined;
  /** What the store said. */
  readonly because: string | undefined;
  /** Objects that are larger than the budget. */
  readonly tooLarge: number;
}

export interface Amount {
  readonly objects: number;
  readonly bytes: number;
}
