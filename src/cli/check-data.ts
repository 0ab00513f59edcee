import type { ConfigError } from '../config/problem.ts';
import { judgeProblems } from '../daemon/check/configuration.ts';
import type { Section } from '../daemon/check/finding.ts';
import { type CheckOutcome, outcomeOf } from './check-outcome.ts';

export interface CheckedConfig {
  readonly version: string;
  readonly file: string;
  readonly startedAt: Date;
}

export interface CheckData extends CheckedConfig {
  readonly sections: readonly Section[];
  readonly outcome: CheckOutcome;
}

const formatVersion = 1;

/** What `--json` prints: docs/guide.md describes it. Keys are only ever added within a format. */
export function checkAsData({ version, file, startedAt, sections, outcome }: CheckData): string {
  const checks = sections.flatMap(({ subject, site, about: target, findings }) =>
    findings.map(({ id, result, about, because, remedy }) => ({
      id: `${subject}/${id}`,
      result,
      site: site ?? null,
      target: target ?? null,
      about: about ?? null,
      because,
      remedy,
    })),
  );
  const { result, counts } = outcome;
  return JSON.stringify({ format: formatVersion, version, config: file, started_at: startedAt, result, counts, checks }, undefined, 2);
}

/** Of a file that nobody can work with: each of its problems is a failure. */
export function dataOfBadConfig(checked: CheckedConfig, { problems }: ConfigError): string {
  const sections: Section[] = [{ subject: 'configuration', findings: judgeProblems(checked.file, problems) }];
  return checkAsData({ ...checked, sections, outcome: outcomeOf(sections) });
}
