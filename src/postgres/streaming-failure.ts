import { DatabaseError } from 'pg';
import { OperatorError, type OperatorErrorOptions } from '../lib/errors.ts';
import { statementError } from './postgres-error.ts';
import type { ServerReport } from './protocol/messages.ts';

interface Known {
  readonly code: string;
  readonly said: RegExp;
  readonly message: (match: RegExpExecArray) => string;
  readonly options: Omit<OperatorErrorOptions, 'cause'>;
}

/** Why a server does not stream, as it says itself in the C locale (walsender.c, timeline.c, slot.c), or as pg_receivewal says after comparing (receivelog.c). */
const known: readonly Known[] = [
  {
    code: 'wal-removed',
    said: /requested WAL segment ([0-9A-F]{24}) has already been removed/,
    message: ([, segment]) => `the server does not have WAL segment ${segment} any more`,
    options: { hint: 'Give the node a replication "slot", so that the server keeps what has not been received.' },
  },
  {
    code: 'wal-diverged',
    said: /requested starting point (\S+) on timeline (\d+) is not in this server's history/,
    message: ([, position, timeline]) => `the WAL received last, ${position} on timeline ${timeline}, is not in the history of the server`,
    options: { hint: 'A standby was promoted that had not seen this WAL. Receiving goes on where its timeline begins.' },
  },
  {
    code: 'wal-timeline-ahead',
    said: /(?:starting timeline (\d+) is not present in the server|highest timeline \d+ of the primary is behind recovery timeline (\d+)|requested timeline (\d+) is not in this server's history)/,
    message: ([, starting, recovery, requested]) =>
      `the server does not know timeline ${starting ?? recovery ?? requested}, from which WAL was received before`,
    options: { hint: 'It is an old primary, or another cluster. Name the current one in "nodes".' },
  },
  {
    code: 'wal-position-ahead',
    said: /requested starting point (\S+) is ahead of the WAL flush position of this server (\S+)/,
    message: ([, ours, theirs]) => `the WAL received last, ${ours}, is ahead of the server, which is at ${theirs}`,
    options: {
      retryable: true,
      hint: 'A standby that lags catches up; a server that was restored to an earlier time needs a site of its own.',
    },
  },
  {
    code: 'slot-missing',
    said: /replication slot "(.*)" does not exist/,
    message: ([, slot]) => `the replication slot ${slot} does not exist on the server`,
    options: { hint: "Create it: SELECT pg_create_physical_replication_slot('NAME', true). Until then no WAL is received." },
  },
  {
    code: 'slot-in-use',
    said: /replication slot "(.*)" is active for PID (\d+)/,
    message: ([, slot, pid]) => `the replication slot ${slot} is used by another receiver, process ${pid} of the server`,
    options: { retryable: true, hint: 'pg_stat_replication on the server tells who it is. Each receiver needs a slot of its own.' },
  },
  {
    code: 'slot-lost',
    said: /can no longer (?:get changes from|access) replication slot "(.*?)"/,
    message: ([, slot]) => `the replication slot ${slot} has been invalidated by the server`,
    options: { hint: 'The server kept more WAL for it than max_slot_wal_keep_size allows.' },
  },
];

/**
 * What is told apart where the server speaks another language, which a role without privileges cannot change. Not `slot-lost`, whose SQLSTATE
 * also means that the slot is a logical one.
 */
const codesBySqlState: Readonly<Record<string, string>> = { '58P01': 'wal-removed', '42704': 'slot-missing', '55006': 'slot-in-use' };

/** Why a server does not stream, understood from what it said; undefined for anything not known. `cause` should be all that was said. */
export function streamingFailure(said: string, cause: Error): OperatorError | undefined {
  for (const { code, said: pattern, message, options } of known) {
    const match = pattern.exec(said);
    if (match) return new OperatorError(code, message(match), { ...options, cause });
  }
  return undefined;
}

/** Why the server at `target` answers START_REPLICATION, or ends the stream, with an error. */
export function streamingError(target: string, report: ServerReport): OperatorError {
  const said = [report.message, report.detail, report.hint].filter((text) => text !== undefined && text !== '').join('; ');
  const failure = streamingFailure(report.message, new Error(said));
  if (failure) return failure;
  const code = codesBySqlState[report.sqlState];
  const options = known.find((one) => one.code === code)?.options;
  if (code === undefined || options === undefined) return statementError(target, databaseError(report));
  return new OperatorError(code, `PostgreSQL at ${target} reports: ${report.message} (SQLSTATE ${report.sqlState})`, {
    ...options,
    cause: new Error(said),
  });
}

function databaseError({ message, sqlState, detail, hint }: ServerReport): DatabaseError {
  return Object.assign(new DatabaseError(message, message.length, 'error'), { code: sqlState, detail, hint });
}
