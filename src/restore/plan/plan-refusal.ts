import { messageOf, OperatorError } from '../../lib/errors.ts';
import type { PlanRefusalDocument } from './restore-plan-document.ts';

export type Nearest = NonNullable<PlanRefusalDocument['nearest']>;
export type ReachablePlace = NonNullable<Nearest['before']>;

/** A target that cannot be restored, with what can be instead. */
export class PlanRefusal extends OperatorError {
  readonly nearest: Nearest;

  constructor(code: string, message: string, { nearest, hint, cause }: { nearest: Nearest; hint: string; cause?: unknown }) {
    super(code, message, { hint: `${hint}${nearestInWords(nearest)}`, ...(cause !== undefined && { cause }) });
    this.nearest = nearest;
  }
}

export function refusalAsDocument(error: OperatorError): PlanRefusalDocument {
  const causes: string[] = [];
  for (let cause = error.cause; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined)
    causes.push(messageOf(cause));
  const nearest = error instanceof PlanRefusal ? error.nearest : null;
  return { code: error.code, message: error.message, causes, hint: error.hint ?? null, nearest };
}

function nearestInWords({ before, after }: Nearest): string {
  const told = [before && `the last before it is ${placeInWords(before)}`, after && `the first behind it is ${placeInWords(after)}`];
  const words = told.filter((each) => each !== null).join('; ');
  return words === '' ? '' : ` Of what can be restored, ${words}.`;
}

function placeInWords({ time, lsn, timeline, basebackup }: ReachablePlace): string {
  const where = lsn === null ? `timeline ${timeline}` : `${lsn} on timeline ${timeline}`;
  return `${time === null ? where : `${time} (${where})`}, from base backup ${basebackup}`;
}
