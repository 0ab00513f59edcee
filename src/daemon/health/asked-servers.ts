import type { ServerSample } from '../../catalog/recoverability/server-samples.ts';
import type { Lsn } from '../../postgres/lsn.ts';
import type { SampledPrimary } from './sample-book.ts';

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
  readonly writes?: { readonly insertedLsn: Lsn; readonly nextXid: string | undefined };
}

const namedMax = 3;
/** Of a page, and of the first one of a segment. */
const pageBytes = 8192n;
const pageHeaderBytesMax = 40n;

/** The primary that tells how far the cluster has come. An old one that nobody stopped is on an older timeline. */
export function primaryOf(usable: readonly AskedServer[]): PrimaryOrStandby | undefined {
  const primaries = usable.flatMap(({ sample, obstacle }) => (sample?.role === 'primary' && obstacle === undefined ? [sample] : []));
  return primaries.toSorted((a, b) => a.timeline - b.timeline || Number(a.lsn - b.lsn)).at(-1);
}

/** What is to be remembered of an answer. What was committed before may not be flushed yet, but has its place in the WAL. */
export function sampledOf(primary: PrimaryOrStandby): SampledPrimary {
  const { systemIdentifier, timeline, lsn: flushed, time = primary.sampledAt, writes } = primary;
  const inserted = writes?.insertedLsn ?? flushed;
  // The next record will stand behind the header of its page, before which nothing is missing.
  const isHeader = flushed % pageBytes === 0n && inserted - flushed <= pageHeaderBytesMax;
  return { systemIdentifier, timeline, time, flushed, lsn: isHeader ? flushed : inserted, nextXid: writes?.nextXid };
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
