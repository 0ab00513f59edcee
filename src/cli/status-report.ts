import type { HealthDocument } from '../daemon/health/health-document.ts';

export type StatusVerdict = HealthDocument['verdict'];

/** Everything that `pghoard status` knows: its texts, its JSON and its exit code are made of this alone. */
export interface StatusReport {
  readonly config: string;
  /** Of this command. */
  readonly version: string;
  readonly at: Date;
  readonly daemon: DaemonStatus;
  readonly sites: readonly SiteStatus[];
}

export interface DaemonStatus {
  readonly answers: boolean;
  /** Where it is asked, or why it does not answer. */
  readonly because: string;
}

export interface SiteStatus {
  readonly site: string;
  /** How it is now. Where the daemon does not tell that is unknown, whatever was so before. */
  readonly verdict: StatusVerdict;
  /** As the daemon tells it now, or as the state file tells that it was. */
  readonly health: HealthDocument | undefined;
  readonly source: 'daemon' | 'state-file' | 'nothing';
  /** What lies in the store, looked up now because no daemon told. */
  readonly store: StoredBackups | undefined;
}

export type StoredBackups =
  | { readonly count: number; readonly newest: { readonly name: string; readonly at: Date; readonly bytes: number } | undefined }
  | { readonly because: string };

/** As `pghoard check` has them: 1 where the status could not be found out, 3 where somebody should look; 2 is for wrong command lines. */
export function statusExitCode({ daemon, sites }: StatusReport): number {
  if (!daemon.answers && sites.some(needsDaemon)) return 1;
  return sites.every(isQuiet) ? 0 : 3;
}

/** The worst of all sites. */
export function worstOf(sites: readonly SiteStatus[]): StatusVerdict['is'] {
  return order.find((verdict) => sites.some((site) => site.verdict.is === verdict)) ?? 'inactive';
}

const order: readonly StatusVerdict['is'][] = ['failure', 'unknown', 'attention', 'ok', 'inactive'];

function isQuiet({ verdict }: SiteStatus): boolean {
  return verdict.is === 'ok' || verdict.is === 'inactive';
}

function needsDaemon({ verdict }: SiteStatus): boolean {
  return verdict.is !== 'inactive';
}
