import type { ServerAnswer } from '../../src/daemon/servers/server-sample.ts';
import { formatLsn, type Lsn } from '../../src/postgres/lsn.ts';
import type { TimelineSwitch } from '../../src/postgres/timeline-history.ts';
import { formatWalName, historyNameOf } from '../../src/postgres/wal-name.ts';

export const segmentBytes = 64 * 1024 * 1024;
export const pgVersion = 170_006;
const segment = BigInt(segmentBytes);

export interface MadeUpServer {
  readonly host: string;
  readonly port: number;
  role: 'primary' | 'standby';
  timeline: number;
  /** Up to where it has written, or replayed. */
  lsn: Lsn;
  isUp: boolean;
  /** It takes connections and never answers. */
  isHanging: boolean;
  /** By a mistake of its operator it is of another cluster. */
  isForeign: boolean;
  isReplayPaused: boolean;
  startedMs: number;
  /** Files that are to be archived, in their order. */
  ready: string[];
}

/** Where the cluster was at a moment. */
interface Moment {
  readonly ms: number;
  readonly timeline: number;
  readonly lsn: Lsn;
}

/** A cluster of servers that only pretend: one primary, and standbys that follow it. It knows the truth about its WAL. */
export class MadeUpCluster {
  readonly systemIdentifier: bigint;
  readonly servers: readonly MadeUpServer[];
  /** By timeline, oldest ancestor first. */
  readonly histories = new Map<number, readonly TimelineSwitch[]>([[1, []]]);
  /** The timeline of the primary that is meant. */
  timeline = 1;
  bytesPerHour: number;
  readonly #moments: Moment[] = [];
  #transactions = 1000;

  constructor(systemIdentifier: bigint, hosts: readonly string[], bytesPerHour: number) {
    this.systemIdentifier = systemIdentifier;
    this.bytesPerHour = bytesPerHour;
    this.servers = hosts.map((host, index) => ({
      host,
      port: 5432 + index,
      role: index === 0 ? 'primary' : 'standby',
      timeline: 1,
      lsn: segment,
      isUp: true,
      isHanging: false,
      isForeign: false,
      isReplayPaused: false,
      startedMs: 0,
      ready: [],
    }));
  }

  get leader(): MadeUpServer | undefined {
    return this.servers.find((server) => server.isUp && server.role === 'primary' && server.timeline === this.timeline);
  }

  /** Whether two servers would take writes. */
  get isTorn(): boolean {
    return this.servers.filter(({ isUp, isForeign, role }) => isUp && !isForeign && role === 'primary').length > 1;
  }

  /** The primary writes, standbys follow. */
  advance(fromMs: number, toMs: number): void {
    for (const server of this.servers) {
      if (!server.isUp || server.role === 'standby') continue;
      const share = server === this.leader ? 1 : 0.2;
      this.#write(server, BigInt(Math.round(((toMs - fromMs) / 3_600_000) * this.bytesPerHour * share)));
      this.#transactions++;
    }
    const { leader } = this;
    if (leader === undefined) return;
    this.#moments.push({ ms: toMs, timeline: leader.timeline, lsn: leader.lsn });
    for (const server of this.servers) {
      if (!server.isUp || server.role === 'primary' || server.isReplayPaused) continue;
      const behind = leader.lsn - 8192n;
      if (behind > server.lsn) server.lsn = behind;
      server.timeline = leader.timeline;
    }
  }

  /** As `pg_backup_stop` does on a primary. */
  switchWal(server: MadeUpServer): void {
    const next = (server.lsn / segment + 1n) * segment;
    this.#write(server, next - server.lsn + 256n);
  }

  /** The best standby becomes primary; what it had not received is lost to the cluster. Resolves to whether there was one. */
  promote(options: { readonly losesReady: boolean }): boolean {
    const old = this.servers.find(({ role, timeline }) => role === 'primary' && timeline === this.timeline);
    const standbys = this.servers.filter(({ isUp, isForeign, isHanging, role }) => isUp && !isForeign && !isHanging && role === 'standby');
    const [heir] = standbys.toSorted((a, b) => Number(b.lsn - a.lsn));
    if (heir === undefined) return false;
    const line = [...(this.histories.get(heir.timeline) ?? []), { timeline: heir.timeline, switchLsn: heir.lsn, reason: 'promoted' }];
    const next = Math.max(...this.histories.keys()) + 1;
    this.histories.set(next, line);
    this.timeline = next;
    const kept = options.losesReady ? [] : (old?.ready ?? []).filter((name) => this.#isBefore(name, line.at(-1)));
    Object.assign(heir, { role: 'primary', timeline: next, isReplayPaused: false, ready: [...kept, historyNameOf(next)] });
    if (old !== undefined) old.ready = [];
    return true;
  }

  /** A server that was away, or an old primary, follows the primary again. */
  rejoin(server: MadeUpServer, atMs: number): void {
    const { leader } = this;
    Object.assign(server, { isUp: true, isHanging: false, isForeign: false, isReplayPaused: false, startedMs: atMs });
    if (leader === undefined || leader === server) return;
    const lsn = server.lsn < leader.lsn ? server.lsn : leader.lsn;
    Object.assign(server, { role: 'standby', timeline: leader.timeline, lsn, ready: [] });
  }

  /** What recovery reads of a line of timelines: on which of them a segment lies. */
  timelineAt(number: bigint, timeline: number): number {
    const switches = this.histories.get(timeline) ?? [];
    return switches.find(({ switchLsn }) => number < switchLsn / segment)?.timeline ?? timeline;
  }

  nameAt(number: bigint, timeline: number): string {
    return formatWalName({ timeline: this.timelineAt(number, timeline), number }, segmentBytes);
  }

  /** Whether recovery from there can come to the timeline. */
  leadsTo(place: { readonly timeline: number; readonly lsn: Lsn }, timeline: number): boolean {
    if (place.timeline === timeline) return true;
    const left = (this.histories.get(timeline) ?? []).find((each) => each.timeline === place.timeline);
    return left !== undefined && place.lsn <= left.switchLsn;
  }

  /** Where the line of the present timeline was at a moment: what was written beside it is lost. */
  positionAt(ms: number): Lsn {
    const moment = this.momentAt(ms);
    if (moment === undefined) return 0n;
    const left = (this.histories.get(this.timeline) ?? []).find((each) => each.timeline === moment.timeline);
    return left !== undefined && left.switchLsn < moment.lsn ? left.switchLsn : moment.lsn;
  }

  /** Where the primary that was meant then was. */
  momentAt(ms: number): Moment | undefined {
    let [low, high] = [0, this.#moments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#moments[middle]?.ms ?? 0) < ms) low = middle + 1;
      else high = middle;
    }
    return this.#moments[low] ?? this.#moments.at(-1);
  }

  historyText(timeline: number): string {
    const lines = (this.histories.get(timeline) ?? []).map((left) => `${left.timeline}\t${formatLsn(left.switchLsn)}\t${left.reason}\n`);
    return lines.join('');
  }

  answerOf(server: MadeUpServer, now: Date): ServerAnswer {
    const { role, timeline, lsn, isForeign, port, startedMs, isReplayPaused } = server;
    const common = {
      pgVersion,
      systemIdentifier: isForeign ? this.systemIdentifier + 1n : this.systemIdentifier,
      segmentBytes,
      timeline,
      lsn,
      time: now,
      postmaster: { port, startedSeconds: Math.floor(startedMs / 1000) },
    };
    if (role === 'primary') return { ...common, role, writes: { insertedLsn: lsn, nextXid: String(this.#transactions) } };
    return { ...common, role, replay: { receivedLsn: lsn, isPaused: isReplayPaused, lastCommitSeconds: 1 } };
  }

  #write(server: MadeUpServer, bytes: bigint): void {
    const before = server.lsn / segment;
    server.lsn += bytes;
    for (let number = before; number < server.lsn / segment; number++)
      server.ready.push(formatWalName({ timeline: server.timeline, number }, segmentBytes));
  }

  #isBefore(name: string, left: TimelineSwitch | undefined): boolean {
    if (left === undefined || name.endsWith('.history')) return true;
    const number = BigInt(`0x${name.slice(8, 16)}`) * (0x1_0000_0000n / segment) + BigInt(`0x${name.slice(16, 24)}`);
    return number < left.switchLsn / segment;
  }
}
