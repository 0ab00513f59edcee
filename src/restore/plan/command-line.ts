import { quoted } from '../../lib/quoted.ts';
import { formatLsn } from '../../postgres/lsn.ts';
import type { RecoveryTarget } from '../choose.ts';
import type { RecoveryWishes } from '../recovery-settings.ts';
import type { TablespaceWishes } from '../tablespaces.ts';
import { formatTargetTime } from '../target-time.ts';

export interface CommandWishes {
  /** Undefined: that of the environment. */
  readonly configFile: string | undefined;
  readonly site: string;
  /** By name. */
  readonly basebackup: string;
  /** Undefined: nobody has named one. */
  readonly dataDirectory: string | undefined;
  readonly overwrite: boolean;
  readonly reuse: boolean;
  readonly tablespaces: TablespaceWishes;
  readonly recovery: RecoveryWishes;
  /** Of `restore_command`, where it is not that of this installation. */
  readonly program?: string | undefined;
  readonly preserveUntil?: Date | undefined;
  readonly cancelPreserveOnSuccess?: boolean;
}

/** What stands for a directory that nobody has named. */
export const directoryPlaceholder = 'DIRECTORY';

/** The command line that carries out a plan, for a shell. */
export function restoreCommandLine(wishes: CommandWishes): string {
  return [...wordsOf(wishes)].map(quoted).join(' ');
}

function* wordsOf(wishes: CommandWishes): Generator<string> {
  const { configFile, site, basebackup, dataDirectory, recovery, tablespaces, program, preserveUntil } = wishes;
  yield* ['pghoard_restore', 'get-basebackup'];
  if (configFile !== undefined) yield* ['--config', configFile];
  yield* ['--site', site, '--basebackup', basebackup, '--target-dir', dataDirectory ?? directoryPlaceholder];
  if (wishes.overwrite) yield '--overwrite';
  if (wishes.reuse) yield '--reuse';
  for (const [name, directory] of tablespaces.directories) yield* ['--tablespace-dir', `${name}=${directory}`];
  if (tablespaces.baseDirectory !== undefined) yield* ['--tablespace-base-dir', tablespaces.baseDirectory];
  if (recovery.toPrimary) yield '--restore-to-primary';
  if (recovery.primaryConninfo) yield* ['--primary-conninfo', recovery.primaryConninfo];
  yield* targetWords(recovery.target);
  if (recovery.timeline !== 'latest') yield* ['--recovery-target-timeline', recovery.timeline];
  if (recovery.targetAction !== 'promote') yield* ['--recovery-target-action', recovery.targetAction];
  if (recovery.prefetch !== undefined) yield* ['--recovery-prefetch', recovery.prefetch];
  if (recovery.recoveryEndCommand !== undefined) yield* ['--recovery-end-command', recovery.recoveryEndCommand];
  if (preserveUntil !== undefined) yield* ['--preserve-until', preserveUntil.toISOString()];
  if (wishes.cancelPreserveOnSuccess === false) yield '--no-cancel-preserve-on-success';
  if (program !== undefined) yield* ['--pghoard-postgres-command-bin', program];
}

function targetWords(target: RecoveryTarget): string[] {
  switch (target.kind) {
    case 'latest':
      return [];
    case 'immediate':
      return ['--recovery-target-immediate'];
    case 'name':
      return ['--recovery-target-name', target.name];
    default:
      return [`--recovery-target-${target.kind}`, String(valueOf(target)), ...(target.isExclusive ? ['--recovery-target-exclusive'] : [])];
  }
}

/** As PostgreSQL's settings take it; null where there is nothing to say. */
export function valueOf(target: RecoveryTarget): string | null {
  switch (target.kind) {
    case 'time':
      return formatTargetTime(target.time);
    case 'xid':
      return target.xid;
    case 'lsn':
      return formatLsn(target.lsn);
    case 'name':
      return target.name;
    default:
      return null;
  }
}
