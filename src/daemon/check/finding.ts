import { inWords, isOperatorError } from '../../lib/errors.ts';

/** `note`: worth knowing, or not to be found out from here; nothing is wrong. */
export const checkResults = ['ok', 'note', 'warning', 'failure'] as const;
export type CheckResult = (typeof checkResults)[number];

/** What one check found. */
export interface Finding {
  /** Stable: `wal-level`. Unique within its subject, but for those that are asked of several things ({@link about}). */
  readonly id: string;
  readonly result: CheckResult;
  /** Which of several things it is about: a file, a slot, a fact. */
  readonly about?: string;
  /** A sentence without a full stop. Never a secret. */
  readonly because: string;
  /** What mends it, line by line: shell commands, SQL statements, lines of a configuration. Empty where nothing has to be mended. */
  readonly remedy: readonly string[];
}

/** What is looked at. */
export const subjects = ['configuration', 'postgres', 'store', 'backups', 'keys', 'disk', 'directories', 'daemon', 'systemd'] as const;
export type SubjectName = (typeof subjects)[number];

/** The findings about one thing. */
export interface Section {
  readonly subject: SubjectName;
  /** Absent: of the daemon as a whole. */
  readonly site?: string;
  /** Which node, store or directory, in words. */
  readonly about?: string;
  readonly findings: readonly Finding[];
}

export function ok(id: string, because: string): Finding {
  return { id, result: 'ok', because, remedy: [] };
}

export function note(id: string, because: string, ...remedy: readonly string[]): Finding {
  return { id, result: 'note', because, remedy };
}

export function warning(id: string, because: string, ...remedy: readonly string[]): Finding {
  return { id, result: 'warning', because, remedy };
}

export function failure(id: string, because: string, ...remedy: readonly string[]): Finding {
  return { id, result: 'failure', because, remedy };
}

export function about(what: string, finding: Finding): Finding {
  return { ...finding, about: what };
}

/** For an error that kept a check from being done, or is its outcome. */
export function failed(id: string, error: unknown, ...remedy: readonly string[]): Finding {
  const hint = isOperatorError(error) ? error.hint : undefined;
  return failure(id, inWords(error), ...(remedy.length > 0 ? remedy : hint === undefined ? [] : [hint]));
}

/** `ok` where there is nothing. */
export function worstOf(findings: Iterable<Pick<Finding, 'result'>>): CheckResult {
  let worst = 0;
  for (const { result } of findings) worst = Math.max(worst, checkResults.indexOf(result));
  return checkResults[worst] ?? 'failure';
}
