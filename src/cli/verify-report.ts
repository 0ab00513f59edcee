import type { VerifyReport } from '../verify/report.ts';

/** 1 and 2 mean what they mean for all our commands: it failed, the command line is wrong; 3 is what `pghoard check` ends with on warnings. */
export function verifyExitCode({ result }: Pick<VerifyReport, 'result'>): number {
  switch (result) {
    case 'sound':
      return 0;
    case 'warning':
      return 3;
    case 'damaged':
      return 4;
    case 'unread':
      return 5;
  }
}

/** For programs. Keys are only ever added. */
export function reportAsData(report: VerifyReport): Record<string, unknown> {
  const { site, begun, ended, result, stored, read, unproven, oldestProof, basebackups, withoutIndex, findings } = report;
  return {
    site,
    result,
    begun_at: begun,
    ended_at: ended,
    stored,
    read,
    unproven,
    oldest_proof: oldestProof ?? null,
    basebackups,
    segments_without_index: withoutIndex,
    stopped_by: report.stoppedBy ?? null,
    because: report.because ?? null,
    larger_than_budget: report.tooLarge,
    findings: findings.map(({ severity, code, object, what }) => ({ severity, code, object, what })),
  };
}
