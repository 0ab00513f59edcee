import { type Finding, failure, note, ok, warning } from '../finding.ts';
import type { ServerFacts } from './server-facts.ts';
import { alterSystem } from './sql-text.ts';

const clockAheadMsMax = 10_000;

/** Settings that matter whichever way WAL and base backups come. */
export function judgeSettings({
  settings,
  pendingRestart,
  isStandby,
  clock,
}: Pick<ServerFacts, 'settings' | 'pendingRestart' | 'isStandby' | 'clock'>): Finding[] {
  return [
    judgeWalLevel(settings.get('wal_level')),
    judgeFullPageWrites(settings.get('full_page_writes'), isStandby),
    judgeChecksums(settings.get('data_checksums'), settings.get('data_directory')),
    ...(pendingRestart.length === 0
      ? []
      : [warning('pending-restart', `changes of ${pendingRestart.join(', ')} wait for a restart of the server`, 'restart the server')]),
    ...(isStandby ? [note('standby', 'the server is a standby: base backups can be taken of it, but it makes no WAL of its own')] : []),
    ...(clock === undefined ? [] : [judgeClock(clock)]),
  ];
}

function judgeWalLevel(level: string | undefined): Finding {
  if (level === 'replica' || level === 'logical') return ok('wal-level', `wal_level is ${level}`);
  return failure(
    'wal-level',
    `wal_level is ${level ?? 'unknown'}: its WAL is not enough to restore anything`,
    ...alterSystem('wal_level', 'replica', 'after a restart'),
  );
}

function judgeFullPageWrites(value: string | undefined, isStandby: boolean): Finding {
  if (value !== 'off') return ok('full-page-writes', 'full_page_writes is on');
  const verdict = isStandby ? failure : warning;
  const why = isStandby ? 'no base backup can be taken of a standby then' : 'a crash of the machine can leave torn pages';
  return verdict('full-page-writes', `full_page_writes is off: ${why}`, ...alterSystem('full_page_writes', 'on', 'at once'));
}

function judgeChecksums(value: string | undefined, directory = 'DATA_DIRECTORY'): Finding {
  if (value === 'on') return ok('data-checksums', 'data pages have checksums');
  return warning(
    'data-checksums',
    'data pages have no checksums: a disk that damages them is not noticed, and the damage goes into the backups',
    'while the server is stopped:',
    `pg_checksums --enable -D ${directory}`,
  );
}

function judgeClock({ aheadMs, roundTripMs }: NonNullable<ServerFacts['clock']>): Finding {
  const off = Math.abs(aheadMs);
  if (off - roundTripMs <= clockAheadMsMax) return ok('clock', 'the clocks of the server and of this host agree');
  const side = aheadMs > 0 ? 'ahead of' : 'behind';
  return warning(
    'clock',
    `the clock of the server is ${Math.round(off / 1000)} s ${side} that of this host: restores to a time go by that of the server`,
    'timedatectl set-ntp true',
  );
}
