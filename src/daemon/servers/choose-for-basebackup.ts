import type { SiteConfig } from '../../config/load.ts';
import { durationInWords } from '../../lib/time-in-words.ts';
import type { NodeView } from './server-sample.ts';
import type { UsableNode } from './troubles.ts';

/** Everything that the choice depends on. */
export interface ServersForBasebackup {
  /** All that the site names. */
  readonly nodes: readonly NodeView[];
  /** Those of them that answer and are of its cluster. */
  readonly usable: readonly UsableNode[];
  /** `basebackup_from`. */
  readonly from: SiteConfig['basebackup_from'];
  /** The primary that the site follows; undefined while none answers. */
  readonly leader: UsableNode | undefined;
  /** The one that runs on the data directory of this host, for modes that read that; undefined: any will do, or nothing tells which it is. */
  readonly local: UsableNode | undefined;
  /** By how many seconds each standby, by index, is behind the primary; absent where it is not. */
  readonly lagSeconds: ReadonlyMap<number, number>;
  /** Beyond that no base backup is taken from a standby. */
  readonly lagSecondsMax: number | null;
  /** Two primaries contend, and nothing tells which one is right. */
  readonly isTorn: boolean;
  /** Attempts that failed in a row: another server is tried then. */
  readonly failures: number;
}

export interface BasebackupSource {
  /** Indices of `nodes`, best first. */
  readonly order: readonly number[];
  /** Which one it is, and why, for the log. */
  readonly because: string;
}

/** Or why none can be taken. */
export type BasebackupChoice = BasebackupSource | { readonly obstacle: string };

/** A standby that is farther behind is only taken where there is nothing better. */
const freshSecondsMax = 300;

/** Which server the next base backup is taken from. */
export function chooseForBasebackup(servers: ServersForBasebackup): BasebackupChoice {
  const { usable, local, failures, isTorn } = servers;
  if (usable.length === 0) return { obstacle: noneUsable(servers) };
  if (isTorn)
    return { obstacle: 'two servers are primaries of the cluster on one timeline, and it cannot be told which of them is the right one' };
  const candidates = local === undefined ? usable : [local];
  const refusals = candidates.map((node) => refusalOf(node, servers));
  const allowed = candidates.filter((_, at) => refusals[at] === undefined).toSorted((a, b) => rankOf(a, servers) - rankOf(b, servers));
  if (allowed.length === 0) return { obstacle: refusals.join('; ') };
  const turn = failures % allowed.length;
  const order = [...allowed.slice(turn), ...allowed.slice(0, turn)];
  return { order: order.map(({ index }) => index), because: becauseOf(order, servers) };
}

function noneUsable({ nodes }: ServersForBasebackup): string {
  const reasons = nodes.map(({ label, obstacle = 'it is of another cluster' }) => `${label}: ${obstacle}`);
  return `no server of the site can be used: ${reasons.join('; ')}`;
}

/** Why none is taken from this one; undefined where one may be. */
function refusalOf(node: UsableNode, { from, leader, local, lagSeconds, lagSecondsMax }: ServersForBasebackup): string | undefined {
  const {
    index,
    label,
    sample: { role, timeline },
  } = node;
  const where = local?.index === index ? `the server ${label}, which runs on pg_data_directory,` : `the server ${label}`;
  if (leader !== undefined && timeline < leader.sample.timeline) {
    return `${where} is on timeline ${timeline}, which the primary ${leader.label} has left for ${leader.sample.timeline}`;
  }
  if (from === 'standby' && role === 'primary') return `${where} is the primary, and basebackup_from is "standby"`;
  if (from === 'primary' && role === 'standby') return `${where} is a standby, and basebackup_from is "primary"`;
  if (role === 'primary' || lagSecondsMax === null || (lagSeconds.get(index) ?? 0) <= lagSecondsMax) return undefined;
  return `the standby ${label} ${lagText(node, lagSeconds)}, more than basebackup_standby_lag_seconds_max (${lagSecondsMax}) allows`;
}

function rankOf({ index, sample: { role } }: UsableNode, { from, lagSeconds }: ServersForBasebackup): number {
  if (role === 'primary') return 1;
  if ((lagSeconds.get(index) ?? 0) > freshSecondsMax) return 3;
  return from === 'prefer_primary' ? 2 : 0;
}

function becauseOf([first]: readonly UsableNode[], servers: ServersForBasebackup): string {
  const { usable, lagSeconds } = servers;
  const chosen = `from the ${first?.sample.role} ${first?.label}`;
  const behind = usable.find((node) => node !== first && rankOf(node, servers) === 3);
  const why = behind && first?.sample.role === 'primary' ? `, because the standby ${behind.label} ${lagText(behind, lagSeconds)}` : '';
  return chosen + why;
}

function lagText({ index, sample }: UsableNode, lagSeconds: ServersForBasebackup['lagSeconds']): string {
  const behind = durationInWords(Math.round(lagSeconds.get(index) ?? 0));
  return `is ${behind} behind${sample.replay?.isPaused === true ? ' (its replay is paused)' : ''}`;
}
