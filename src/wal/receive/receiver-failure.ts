import { OperatorError } from '../../lib/errors.ts';
import { streamingFailure } from '../../postgres/streaming-failure.ts';

/** Why pg_receivewal ended: as much as can be understood of what it said last, in the C locale. */
export function receiverFailure(said: string, ending: string): OperatorError {
  const cause = new Error(said === '' ? 'it said nothing' : said);
  return streamingFailure(said, cause) ?? diskFailure(said, cause) ?? otherFailure(ending, cause);
}

function diskFailure(said: string, cause: Error): OperatorError | undefined {
  if (!/No space left on device|Disk quota exceeded/.test(said)) return undefined;
  return new OperatorError('disk-full', 'there is no room for received WAL', {
    cause,
    retryable: true,
    hint: 'Make room on the disk of "backup_location"; see pg_receivexlog.min_disk_free_bytes.',
  });
}

function otherFailure(ending: string, cause: Error): OperatorError {
  return new OperatorError('wal-receiver-failed', `pg_receivewal ended with ${ending}`, {
    cause,
    retryable: true,
    hint: "See also PostgreSQL's own log.",
  });
}
