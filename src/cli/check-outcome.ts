import { type CheckResult, checkResults, type Section, worstOf } from '../daemon/check/finding.ts';

export interface CheckOutcome {
  /** The worst of all. */
  readonly result: CheckResult;
  readonly counts: Readonly<Record<CheckResult, number>>;
}

export function outcomeOf(sections: readonly Section[]): CheckOutcome {
  const findings = sections.flatMap((section) => section.findings);
  const counts = Object.fromEntries(checkResults.map((result) => [result, findings.filter((each) => each.result === result).length]));
  return { result: worstOf(findings), counts: counts as Record<CheckResult, number> };
}

/** 1 and 2 mean what they mean for all our commands: it failed, the command line is wrong. */
export function checkExitCode({ result }: Pick<CheckOutcome, 'result'>): number {
  switch (result) {
    case 'ok':
    case 'note':
      return 0;
    case 'warning':
      return 3;
    case 'failure':
      return 1;
  }
}
