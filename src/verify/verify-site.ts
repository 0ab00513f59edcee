import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { type Finding, worstOf } from './finding.ts';
import type { VerifyReport } from './report.ts';
import { SiteWork, type WorkEnd } from './site-work.ts';
import { type SiteSurvey, surveySite } from './survey-site.ts';
import type { VerifyDeps } from './verify-deps.ts';

export interface VerifyRequest {
  /** Whether something that was proven then is to be read again. */
  readonly again: (provenAt: Date) => boolean;
  /** Only this base backup, and the WAL that it needs to become consistent. */
  readonly basebackup?: BasebackupEntry | undefined;
}

/**
 * Reads again what is stored of a site, in the order of `whatToRead`, as far as the budget goes, and notes what it has found in the store. Nothing that is wrong there
 * makes it fail; a store that does not answer ends it.
 */
export async function verifySite(request: VerifyRequest, deps: VerifyDeps): Promise<VerifyReport> {
  const findings = new Map<string, Finding>();
  let bytesRead = 0;
  const counted: VerifyDeps = {
    ...deps,
    onFinding: (finding) => {
      // Once, though it is both noted and found again in what is not read to its end.
      const told = JSON.stringify([finding.severity, finding.code, finding.object, finding.what]);
      if (findings.has(told)) return;
      findings.set(told, finding);
      deps.onFinding(finding);
    },
    onBytes: (bytes) => {
      bytesRead += bytes;
      deps.onBytes(bytes);
    },
  };
  const begun = deps.clock.now();
  const only = request.basebackup && extentOf(request.basebackup);
  const survey = await surveySite(deps.catalog, deps.signal, only ? [only.from, `${only.to} `] : []);
  const work = new SiteWork(survey, { again: request.again, only }, counted);
  const end = await work.run();
  const found = [...findings.values()];
  const damaged = knownDamage(found, work.knownDamage);
  const ended = deps.clock.now();
  return {
    site: deps.site,
    begun,
    ended,
    result: resultOf([...found, ...damaged], end),
    ...amountsOf(survey, work, ended),
    read: { objects: work.objects, bytes: bytesRead },
    withoutIndex: survey.withoutIndex,
    findings: found,
    damaged,
    stoppedBy: end.by,
    because: end.because,
    tooLarge: work.tooLarge,
  };
}

/** Each once. */
function knownDamage(found: readonly Finding[], noted: readonly Finding[]): readonly Finding[] {
  const damaged = [...found.filter(({ severity }) => severity === 'damaged'), ...noted];
  return [...new Map(damaged.toReversed().map((each) => [`${each.object} ${each.code}`, each])).values()].toReversed();
}

function extentOf({ name, startWalSegment: from, endWalSegment: to = from }: BasebackupEntry) {
  return { basebackup: name, from, to };
}

/** What nobody could read may be damaged. */
function resultOf(findings: readonly Finding[], { by }: WorkEnd): VerifyReport['result'] {
  const worst = worstOf(findings);
  if (by === 'store' && worst !== 'damaged') return 'unread';
  return worst ?? 'sound';
}

function amountsOf(
  { books, backups }: SiteSurvey,
  { backups: states }: Pick<SiteWork, 'backups'>,
  now: Date,
): Pick<VerifyReport, 'basebackups' | 'oldestProof' | 'stored' | 'unproven'> {
  const folders = Object.values(books);
  const oldest = folders.map((book) => book.oldest);
  const unproven = backups.filter((backup) => states.isSound(backup) === undefined);
  const proofs = [...oldest.flatMap(({ provenAt }) => provenAt ?? []), ...backups.flatMap((backup) => states.provenAt(backup, now) ?? [])];
  return {
    stored: {
      objects: sum(folders, ({ survey }) => survey.objects) + sum(backups, ({ objects }) => objects),
      bytes: sum(folders, ({ survey }) => survey.bytes) + sum(backups, ({ bytes }) => bytes),
    },
    unproven: {
      objects: sum(oldest, ({ unprovenObjects }) => unprovenObjects) + sum(unproven, ({ objects }) => objects),
      bytes: sum(oldest, ({ unprovenBytes }) => unprovenBytes) + sum(unproven, ({ bytes }) => bytes),
    },
    oldestProof: proofs.toSorted((a, b) => a.getTime() - b.getTime())[0],
    basebackups: {
      stored: backups.length,
      sound: backups.filter((backup) => states.isSound(backup) === true).length,
      damaged: backups.filter((backup) => states.isSound(backup) === false).length,
      unproven: unproven.length,
    },
  };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((all, item) => all + of(item), 0);
}
