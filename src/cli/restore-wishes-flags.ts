import { type Command, InvalidArgumentError, Option } from 'commander';
import type { RecoveryPrefetch, TargetAction } from '../restore/recovery-settings.ts';

const targetActions: readonly TargetAction[] = ['pause', 'promote', 'shutdown'];
const prefetchSettings: readonly RecoveryPrefetch[] = ['try', 'on', 'off'];

/** What is to be restored, where to, and how far: for whoever restores, or plans it. */
export function withRestoreFlags(command: Command): Command {
  return command
    .option('--basebackup <name>', 'which one: a name from the list, or latest', 'latest')
    .option('--overwrite', 'empty the data directory first')
    .addOption(
      new Option('--reuse', 'keep what the data directory has already: write only what differs, remove what does not belong').conflicts(
        'overwrite',
      ),
    )
    .option('--tablespace-dir <name=dir>', 'directory for a tablespace; can be repeated', collectMapping, new Map<string, string>())
    .option('--tablespace-base-dir <dir>', 'where tablespaces go whose original directory does not exist')
    .option('--primary-conninfo <conninfo>', 'connection to stream from, for a standby', '')
    .option('--restore-to-primary', 'recover to a server of its own, not to a standby')
    .option('--restore-to-master', 'the same')
    .option(
      '--recovery-target-time <time>',
      'recover up to this time: 2026-11-22 14:03:00+02:00, 2026-11-22 14:03 Europe/Helsinki, or 5 minutes ago',
    )
    .option('--recovery-target-xid <xid>', 'recover up to this transaction, it included')
    .option('--recovery-target-lsn <lsn>', 'recover up to this position in the WAL: 16/B374D848')
    .option('--recovery-target-exclusive', 'stop just before that time, transaction or position, and not just behind it')
    .option('--recovery-target-name <name>', 'recover up to this named restore point')
    .option('--recovery-target-immediate', 'recover only to the moment at which the base backup ended')
    .addOption(
      new Option('--recovery-target-action <action>', 'what to do at the target')
        .choices(targetActions)
        .default('promote' satisfies TargetAction),
    )
    .option('--recovery-target-timeline <timeline>', 'latest, current (that of the base backup) or its number', parseTimeline, 'latest')
    .addOption(
      new Option(
        '--recovery-prefetch <setting>',
        'whether PostgreSQL reads WAL ahead: off for a target just before a hole (default: its own)',
      ).choices(prefetchSettings),
    )
    .option('--recovery-end-command <command>', 'run by PostgreSQL once recovery has ended')
    .option('--preserve-until <time>', 'ask pghoard to keep the base backup until then, at most until the restore has succeeded')
    .option('--cancel-preserve-on-success', 'take that back when the restore has succeeded', true)
    .option('--no-cancel-preserve-on-success', 'do not take that back')
    .option(
      '--pghoard-postgres-command-bin <program>',
      'program for restore_command (default: the pghoard_postgres_command of this installation)',
    );
}

/** In decimal, as PostgreSQL's setting wants it, though the names of history files have it in hexadecimal. */
function parseTimeline(text: string): string {
  if (/^(latest|current|[1-9]\d{0,9})$/.test(text) && !(Number(text) > 0xffff_ffff)) return text;
  throw new InvalidArgumentError('It must be latest, current or a decimal number.');
}

function collectMapping(text: string, soFar: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('It must be NAME=DIR.');
  return new Map([...soFar, [text.slice(0, at), text.slice(at + 1)]]);
}
