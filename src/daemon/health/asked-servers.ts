import type { ServerSample } from './server-samples.ts';

/** A server of the site, as it was asked last. */
export interface AskedServer {
  /** For people; never holds a secret. */
  readonly label: string;
  readonly sample: PrimaryOrStandby | undefined;
  /** Why it cannot be used now. */
  readonly obstacle: string | undefined;
}

interface PrimaryOrStandby extends Pick<ServerSample, 'timeline' | 'lsn'> {
  readonly role: 'primary' | 'standby';
  readonly systemIdentifier: bigint;
  /** By its own clock, if it told. */
  readonly time?: Date;
  /** When the question was asked, by ours. */
  readonly sampledAt: Date;
}

const namedMax = 3;

/** The primary that tells how far the cluster has come. An old one that nobody stopped is on an older timeline. */
export function primaryOf(usable: readonly AskedServer[]): PrimaryOrStandby | undefined {
  const primaries = usable.flatMap(({ sample, obstacle }) => (sample?.role === 'primary' && obstacle === undefined ? [sample] : []));
  return primaries.toSorted((a, b) => a.timeline - b.timeline || Number(a.lsn - b.lsn)).at(-1);
}

/** Why none of these tells how far the cluster has come: a standby does not know what it has not heard of. */
export function whyNoPrimary(servers: readonly AskedServer[], usable: readonly AskedServer[]): string {
  if (servers.length === 0) return 'the site names no server (nodes)';
  const isUsable = new Set(usable.map(({ label }) => label));
  const reasons = servers.map(({ label, obstacle }) => {
    return `${label}: ${obstacle ?? (isUsable.has(label) ? 'it is a standby' : 'it is of another cluster')}`;
  });
  return reasons.length > namedMax ? `${reasons.slice(0, namedMax).join('; ')}; …` : reasons.join('; ');
}

/** There is nobody else to ask, as it was set up. */
export function areOnlyStandbys(servers: readonly AskedServer[], usable: readonly AskedServer[]): boolean {
  return usable.length > 0 && usable.length === servers.length && usable.every(({ sample }) => sample?.role === 'standby');
}
