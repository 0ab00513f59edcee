import { resolve } from 'node:path';
import { parseTimestamp } from '../catalog/timestamp.ts';
import { OperatorError } from '../lib/errors.ts';
import { parseLsn } from '../postgres/lsn.ts';
import type { RecoveryTarget } from '../restore/choose.ts';
import type { PlanRequest } from '../restore/plan/plan-request.ts';
import type { RestoreRequest } from '../restore/restore.ts';
import { parseTargetTime } from '../restore/target-time.ts';
import type { GetFlags, PlanFlags } from './restore-flags.ts';

/** PostgreSQL's limit on the names of restore points (MAXFNAMELEN). */
const restorePointBytesMax = 63;

/** What the flags ask for. Throws for contradictions and unreadable values. */
export function restoreRequest(flags: GetFlags, now: Date): RestoreRequest {
  return {
    basebackup: flags.basebackup,
    dataDirectory: resolve(flags.targetDir),
    overwrite: flags.overwrite ?? false,
    reuse: flags.reuse ?? false,
    tablespaces: {
      directories: flags.tablespaceDir,
      baseDirectory: flags.tablespaceBaseDir === undefined ? undefined : resolve(flags.tablespaceBaseDir),
    },
    recovery: {
      target: recoveryTarget(flags, now),
      targetAction: flags.recoveryTargetAction,
      timeline: flags.recoveryTargetTimeline,
      toPrimary: (flags.restoreToPrimary ?? false) || (flags.restoreToMaster ?? false),
      primaryConninfo: flags.primaryConninfo,
      recoveryEndCommand: flags.recoveryEndCommand,
      ...(flags.recoveryPrefetch && { prefetch: flags.recoveryPrefetch }),
    },
    preserveUntil: flags.preserveUntil === undefined ? undefined : parsePreserveUntil(flags.preserveUntil),
    cancelPreserveOnSuccess: flags.cancelPreserveOnSuccess,
  };
}

/** The same for a plan, which needs no directory. */
export function planRequest(flags: PlanFlags, now: Date): PlanRequest {
  const request = restoreRequest({ ...flags, targetDir: flags.targetDir ?? '.' }, now);
  return flags.targetDir === undefined ? { ...request, dataDirectory: undefined } : request;
}

function recoveryTarget(flags: GetFlags, now: Date): RecoveryTarget {
  const { recoveryTargetName: name, recoveryTargetTime: time, recoveryTargetXid: xid, recoveryTargetLsn: lsn } = flags;
  const { recoveryTargetImmediate: immediate, recoveryTargetExclusive: isExclusive = false } = flags;
  if ([name, time, xid, lsn, immediate].filter((value) => value !== undefined).length > 1) {
    throw new OperatorError(
      'target-ambiguous',
      'at most one of --recovery-target-name, --recovery-target-time, --recovery-target-xid, --recovery-target-lsn and --recovery-target-immediate can be given',
    );
  }
  if (time !== undefined) return { kind: 'time', time: parseTargetTime(time, now), isExclusive };
  if (xid !== undefined) return { kind: 'xid', xid: checkedXid(xid), isExclusive };
  if (lsn !== undefined) return { kind: 'lsn', lsn: parseLsn(lsn), isExclusive };
  if (isExclusive) {
    throw new OperatorError(
      'target-ambiguous',
      '--recovery-target-exclusive needs a time, a transaction or a WAL position that it goes with',
    );
  }
  if (immediate) return { kind: 'immediate' };
  return name === undefined ? { kind: 'latest' } : { kind: 'name', name: checkedName(name) };
}

function checkedXid(xid: string): string {
  if (/^\d{1,20}$/.test(xid)) return xid;
  throw new OperatorError('target-xid-invalid', `the recovery target '${xid}' is no transaction id`, {
    hint: 'Give it in decimal digits.',
  });
}

function checkedName(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes > 0 && bytes <= restorePointBytesMax) return name;
  throw new OperatorError(
    'target-name-invalid',
    `the name of a restore point has 1 to ${restorePointBytesMax} bytes, this one has ${bytes}`,
  );
}

/** As retention reads it: UTC where there is no offset. */
function parsePreserveUntil(text: string): Date {
  const date = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00` : text.replace(/^(\S+[T ]\d{2}:\d{2})(?=$|Z|[+-])/i, '$1:00');
  const until = parseTimestamp(date);
  if (until) return until;
  throw new OperatorError('preserve-until-invalid', `--preserve-until '${text}' is not a time`, {
    hint: "Write it as '2026-11-22T14:03:00+02:00'.",
  });
}
