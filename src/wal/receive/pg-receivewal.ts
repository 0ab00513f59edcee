import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { resolveConninfo } from '../../postgres/conninfo.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { lendPassword } from '../../postgres/program-login.ts';
import { findProgram, type ProgramSearch } from '../../postgres/programs.ts';
import type { ServerFacts } from '../../postgres/replication.ts';
import { majorOf } from '../../postgres/versions.ts';
import { nextWalName } from '../../postgres/wal-name.ts';
import { untilAborted } from '../until-aborted.ts';
import { endLeftoverReceivers } from './leftover-receivers.ts';
import { lastReceived, mendPartials } from './partial-files.ts';
import { ReceivewalProcess, receivewalCommand } from './receivewal-process.ts';
import { connectToServer, type ReceivingServerDeps } from './receiving-server.ts';
import { startOnNextTimeline } from './start-on-next-timeline.ts';
import type { ReceivingLife, WayOfReceiving } from './way-of-receiving.ts';

export interface PgReceivewalDeps extends ReceivingServerDeps {
  readonly site: string;
  readonly programs: Omit<ProgramSearch, 'major'>;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** A receiver that has streamed for so long was not refused. */
const settleMs = 1000;

/** `active_backup_mode: pg_receivexlog`: a pg_receivewal as a child. Every end of it is a failure with a cause. */
export class PgReceivewal implements WayOfReceiving {
  readonly mode = 'pg_receivexlog';
  readonly program = 'pg_receivewal';
  readonly #deps: PgReceivewalDeps;

  constructor(deps: PgReceivewalDeps) {
    this.#deps = deps;
  }

  /** It goes on behind the files in the directory. */
  async missingFrom(segmentBytes: number): Promise<string | undefined> {
    const last = await lastReceived(this.#deps.directory);
    return last && (last.isPartial ? last.name : nextWalName(last.name, segmentBytes));
  }

  /** It writes what arrives into the last file at once. */
  async signOfArrival(): Promise<string | undefined> {
    const { directory } = this.#deps;
    const last = await lastReceived(directory);
    const file = last && `${last.name}${last.isPartial ? '.partial' : ''}`;
    const { mtimeNs } = (file && (await stat(join(directory, file), { bigint: true }).catch(() => undefined))) || {};
    return file && `${file} of ${mtimeNs}`;
  }

  async receive(node: PostgresNode, life: ReceivingLife): Promise<OperatorError> {
    const { directory, programs } = this.#deps;
    const { slot } = node;
    const login = await resolveConninfo(node.conninfo, process.env, { replication: true });
    const server = await this.#askServer(node, life.signal);
    const { path } = await findProgram('pg_receivewal', { ...programs, major: majorOf(server.version) });
    await this.#tidyUp(server, life.signal);
    await life.waitForRoom(server.segmentBytes);
    const passwordFile = `${directory}.pgpass`;
    await using _password = await lendPassword(login, passwordFile);
    const command = receivewalCommand(path, { node: login, passwordFile, directory, slot });
    const end = new AbortController();
    const signal = AbortSignal.any([life.signal, end.signal]);
    await using child = await ReceivewalProcess.start(command, (line) => this.#hear(line, (from) => this.#settle(from, life, signal)));
    life.began(child);
    try {
      return await untilAborted(child.ended(), life.signal);
    } finally {
      end.abort();
    }
  }

  async #askServer(node: PostgresNode, signal: AbortSignal): Promise<ServerFacts> {
    const { site, directory, log } = this.#deps;
    const { connection, server } = await connectToServer(node, this.#deps, { applicationName: 'pghoard', signal });
    await using _connection = connection;
    const from = await startOnNextTimeline(connection, server, directory);
    if (from !== undefined) log.info({ site, from }, `all of the timeline before was received; receiving goes on with the next one`);
    return server;
  }

  /** What an earlier life left that would spoil this one. */
  async #tidyUp({ segmentBytes }: ServerFacts, signal: AbortSignal): Promise<void> {
    const { directory, clock, metrics, log, site } = this.#deps;
    const ended = await endLeftoverReceivers(directory, clock, signal);
    if (ended.length > 0) log.warn({ site, pid: ended.join(',') }, 'ended a receiver that an earlier pghoard left running');
    for (const name of await mendPartials(directory, segmentBytes)) {
      metrics.increase('pghoard.incomplete_partial_wal_segment', 1, { site });
      log.warn(
        { site, wal: name },
        'emptied a partial WAL segment of odd size; it is received again, what was in it is in .partial_incomplete',
      );
    }
  }

  #hear(line: string, onStreaming: (from: string) => void): void {
    const { log, site } = this.#deps;
    if (/\b(error|warning|fatal):/i.test(line)) log.warn({ site, said: line }, 'pg_receivewal says');
    else log.debug({ site, said: line }, 'pg_receivewal says');
    const from = /starting log streaming at (\S+) \(timeline (\d+)\)/.exec(line);
    if (from) onStreaming(`${from[1]} on timeline ${from[2]}`);
  }

  #settle(from: string, life: ReceivingLife, signal: AbortSignal): void {
    this.#deps.clock.sleep(settleMs, signal).then(
      () => life.settled(from),
      () => {},
    );
  }
}
