import { resolve } from 'node:path';
import { parseTimestamp } from '../catalog/timestamp.ts';
import { OperatorError } from '../lib/errors.ts';
import type { RecoveryTarget } from '../restore/choose.ts';
import { parseTarget } from '../restore/parse-target.ts';
import type { PlanRequest } from '../restore/plan/plan-request.ts';
import type { RestoreRequest } from '../restore/restore.ts';
import type { GetFlags, PlanFlags } from './restore-flags.ts';

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
  const texts = {
    time: flags.recoveryTargetTime,
    xid: flags.recoveryTargetXid,
    lsn: flags.recoveryTargetLsn,
    name: flags.recoveryTargetName,
    isImmediate: flags.recoveryTargetImmediate,
    isExclusive: flags.recoveryTargetExclusive,
  };
  return parseTarget(texts, now);
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
