/** What is told of a site in a line for an operator who asks systemd. */
export interface SiteInBrief {
  readonly name: string;
  readonly isActive: boolean;
  /** When the newest complete base backup began; undefined: there is none; null: the store has not been listed yet. */
  readonly newest: Date | undefined | null;
  readonly isTakingBackup: boolean;
}

export interface AlertInBrief {
  readonly name: string;
  /** Null: the daemon as a whole. */
  readonly site: string | null;
}

/** More than that and the line is no line any more. */
const shownMax = 4;

/** One line: what is wrong first, then the newest base backup of each site, the oldest of them first. Times, not ages, so that it changes only with what it tells. */
export function serviceStatus(sites: readonly SiteInBrief[], alerts: readonly AlertInBrief[]): string {
  const trouble =
    alerts.length === 0
      ? 'no alerts'
      : `ALERTS: ${shortened(alerts.map(({ name, site }) => (site === null ? name : `${name} (${site})`)))}`;
  const worstFirst = sites.toSorted((a, b) => timeOf(a) - timeOf(b));
  return `${trouble}; ${sites.length === 0 ? 'no sites' : shortened(worstFirst.map(inWords))}`;
}

function inWords(site: SiteInBrief): string {
  const parts = [site.name, newestInWords(site)];
  if (site.isTakingBackup) parts.push('(another is being taken)');
  if (!site.isActive) parts.push('(not active)');
  return parts.join(' ');
}

function newestInWords({ newest }: SiteInBrief): string {
  if (newest === null) return 'not listed yet';
  return newest === undefined ? 'has no base backup' : `backed up ${newest.toISOString().slice(0, 16)}Z`;
}

function timeOf({ newest }: SiteInBrief): number {
  return newest?.getTime() ?? 0;
}

function shortened(texts: readonly string[]): string {
  const shown = texts.slice(0, shownMax).join(', ');
  return texts.length > shownMax ? `${shown} and ${texts.length - shownMax} more` : shown;
}
