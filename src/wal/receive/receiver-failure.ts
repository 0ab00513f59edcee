import { OperatorError, type OperatorErrorOptions } from '../../lib/errors.ts';

interface Known {
  readonly code: string;
  readonly said: RegExp;
  readonly message: (match: RegExpExecArray) => string;
  readonly options: Omit<OperatorErrorOptions, 'cause'>;
}

/** What pg_receivewal says in the C locale when it gives up (pg_receivewal.c, receivelog.c, walsender.c, slot.c). */
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
    said: /starting timeline (\d+) is not present in the server|highest timeline \d+ of the primary is behind recovery timeline (\d+)/,
    message: ([, starting, recovery]) => `the server does not know timeline ${starting ?? recovery}, from which WAL was received before`,
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
  {
    code: 'disk-full',
    said: /No space left on device|Disk quota exceeded/,
    message: () => 'there is no room for received WAL',
    options: { retryable: true, hint: 'Make room on the disk of "backup_location"; see pg_receivexlog.min_disk_free_bytes.' },
  },
];

/** Why pg_receivewal ended: as much as can be understood of what it said last. */
export function receiverFailure(said: string, ending: string): OperatorError {
  const cause = new Error(said === '' ? 'it said nothing' : said);
  for (const { code, said: pattern, message, options } of known) {
    const match = pattern.exec(said);
    if (match) return new OperatorError(code, message(match), { ...options, cause });
  }
  return new OperatorError('wal-receiver-failed', `pg_receivewal ended with ${ending}`, {
    cause,
    retryable: true,
    hint: "See also PostgreSQL's own log.",
  });
}
