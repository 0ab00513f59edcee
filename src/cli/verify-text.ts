import { inUnits } from '../lib/bytes-in-words.ts';
import { ago, durationInWords } from '../lib/time-in-words.ts';
import type { ProgressReport } from '../transfer/progress.ts';
import type { Finding, Severity } from '../verify/finding.ts';
import type { Amount, VerifyReport } from '../verify/report.ts';

const words: Readonly<Record<Severity, string>> = { warning: 'WARNING', unread: 'NOT READ', damaged: 'DAMAGED' };

export function findingLine({ severity, code, object, what }: Finding): string {
  return `${words[severity]}: ${object}: ${what} (${code})`;
}

/** What comes after the findings, which were told as they came. */
export function reportText(report: VerifyReport, now: Date): string {
  const { site, result, read, stored, unproven, basebackups, oldestProof, begun, ended, withoutIndex } = report;
  const seconds = Math.round((ended.getTime() - begun.getTime()) / 1000);
  return [
    `Site ${site}: ${verdicts[result]}`,
    `Read ${amount(read)} in ${durationInWords(seconds)}; stored are ${amount(stored)}.`,
    `Base backups: ${basebackups.stored} stored, ${basebackups.sound} sound, ${basebackups.damaged} damaged, ${basebackups.unproven} not read yet.`,
    unproven.objects === 0 ? 'Everything has been read.' : `Not read yet, or changed since: ${amount(unproven)}.`,
    ...(oldestProof === undefined ? [] : [`Of what has been, the oldest was read ${ago(oldestProof, now)}.`]),
    ...(withoutIndex === 0
      ? []
      : [`WAL segments without an index of what happened in them: ${withoutIndex}. The daemon makes up for them.`]),
    ...whyNotAll(report),
  ].join('\n');
}

export function verifyProgressLine({ bytes, totalBytes = 0, bytesPerSecond, secondsRemaining }: ProgressReport): string {
  // What had to be read again is in the one, not in the other.
  if (totalBytes < bytes) return `Read ${inUnits(bytes)}`;
  const rate = bytesPerSecond > 0 ? `, ${inUnits(bytesPerSecond)}/s` : '';
  const left = secondsRemaining === undefined || bytes >= totalBytes ? '' : `, ${durationInWords(Math.ceil(secondsRemaining))} left`;
  return `Read ${inUnits(bytes)} of ${inUnits(totalBytes)}${rate}${left}`;
}

const verdicts: Readonly<Record<VerifyReport['result'], string>> = {
  sound: 'all that was read is sound.',
  warning: 'all that was read can be restored, but see the warnings.',
  unread: 'some could not be read, so nobody knows whether it is sound.',
  damaged: 'SOMETHING IS DAMAGED.',
};

function whyNotAll({ stoppedBy, because, tooLarge }: VerifyReport): readonly string[] {
  if (stoppedBy === 'store') return [`It ended because the store could not be used: ${because}`];
  if (tooLarge > 0) return [`Objects that are larger than the budget, and were not read: ${tooLarge}.`];
  return stoppedBy === 'budget' ? ['It ended with its budget. The next run goes on there.'] : [];
}

function amount({ objects, bytes }: Amount): string {
  return `${objects} objects, ${inUnits(bytes)}`;
}
