import { isOperatorError } from '../../../lib/errors.ts';
import type { LockedSummary } from '../../../storage/delete-many.ts';
import type { StorageOptions } from '../../../storage/options.ts';
import { about, type Finding, failed, failure, note, ok, warning } from '../finding.ts';
import type { ContractOutcome, FactOutcome } from './contract.ts';
import { type ProbeFacts, probeSteps } from './probe.ts';

const clockAheadMsMax = 60_000;
/** From here on S3 refuses requests. */
const clockAheadMsRefused = 15 * 60_000;
const slowMs = 2_000;

const doubtful = 'Do not rely on this store. If it only pretends to be of its kind, look for a newer version of it; else report this.';

export function judgeReach(tookMs: number): Finding {
  const text = `it answers a listing within ${Math.round(tookMs)} ms`;
  return tookMs <= slowMs
    ? ok('reachable', text)
    : warning('reachable', `it takes ${Math.round(tookMs)} ms to answer a listing`, 'look at the network, or the load of the store');
}

export function judgeUnreachable(error: unknown): Finding {
  const isGuided = isOperatorError(error) && error.hint !== undefined;
  return failed('reachable', error, ...(isGuided ? [] : ['check what object_storage says, and the network from here to there']));
}

export function judgeProbe({ tookMs, failed: bad, clock, isLocked }: ProbeFacts): Finding[] {
  const times = probeSteps.flatMap((step) => (tookMs.has(step) ? [`${step} ${Math.round(tookMs.get(step) ?? 0)} ms`] : []));
  const done = times.length === 0 ? [] : [ok('requests', times.join(', '))];
  const wrong = bad === undefined ? [] : [about(bad.step, failed('requests', bad.error))];
  return [...done, ...wrong, ...(clock === undefined ? [] : [judgeClock(clock)]), ...(isLocked ? [locked] : [])];
}

export function lockDaysOf(storage: StorageOptions): number | undefined {
  return 'object_lock_days' in storage ? (storage.object_lock_days ?? undefined) : undefined;
}

export function judgeLockDays(storage: StorageOptions): Finding[] {
  const days = lockDaysOf(storage);
  if (days === undefined) return [];
  return [
    note(
      'lock',
      `object_lock_days is ${days}; whether the store takes such locks is not tried, as nobody could remove what that would leave`,
    ),
  ];
}

const locked = note(
  'lock',
  'a lock of the store keeps what was just stored (object lock, retention): retention of backups waits for it, and the rest of the contract is not tried, as it would leave its objects behind',
);

export function judgeClock({ aheadMs, inexactMs }: NonNullable<ProbeFacts['clock']>): Finding {
  const off = Math.abs(aheadMs) - inexactMs;
  if (off <= clockAheadMsMax) return ok('clock', 'the clocks of the store and of this host agree');
  const text = `the clock of the store is ${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} that of this host`;
  const verdict = off > clockAheadMsRefused ? failure : warning;
  return verdict('clock', `${text}: cloud stores refuse requests from too far away`, 'timedatectl set-ntp true');
}

/** One line for all that holds, one for each fact that does not. */
export function judgeContract({ outcomes, tookMs }: ContractOutcome, quick: boolean): Finding[] {
  const [creating, others] = [outcomes.filter(({ kind }) => kind === 'create-only'), outcomes.filter(({ kind }) => kind !== 'create-only')];
  const held = others.filter(({ why }) => why === undefined).length;
  const which = quick ? 'essential facts' : 'facts';
  const all = held === others.length ? `all ${held}` : `${held} of ${others.length}`;
  const text = `${all} ${which} that must hold for every store do, tried in ${(tookMs / 1000).toFixed(1)} s`;
  return [
    ...(held > 0 ? [held === others.length ? ok('contract', text) : note('contract', text)] : []),
    ...others.flatMap((outcome) => (outcome.why === undefined ? [] : [judgeBroken(outcome)])),
    judgeCreateOnly(creating),
  ];
}

function judgeBroken({ fact, kind, why }: FactOutcome): Finding {
  const verdict = kind === 'essential' ? failure : warning;
  return about(fact, verdict('contract', `does not hold: ${why}`, doubtful));
}

function judgeCreateOnly(outcomes: readonly FactOutcome[]): Finding {
  const broken = outcomes.find(({ why }) => why !== undefined);
  if (broken === undefined) return ok('create-only', 'of several who create an object at once one wins');
  const text =
    `"${broken.fact}" does not hold: ${broken.why}. Two daemons could both take the lease of the site, and WAL of one server could replace that of another one ` +
    'unnoticed';
  return failure(
    'create-only',
    text,
    'let one daemon alone work on the site, and give it "lease_seconds": null',
    'or upgrade the store: it must honour If-None-Match',
  );
}

/** What came of a listing beyond the prefix. */
export type Beyond = 'refused' | 'nothing' | 'objects' | 'unknown';

/** Only looked at: what a credential may do elsewhere must not be tried by doing it. */
export function judgePrivilege(beyond: Beyond, prefix: string): Finding {
  const remedy = `allow it no more than to put, get, list and delete below ${prefix}`;
  const rest = 'whether it may delete there, or the bucket itself, is not tried, as that could do harm';
  switch (beyond) {
    case 'refused':
      return ok('privilege', `the credential may not list what is outside of ${prefix}`);
    case 'nothing':
      return note('privilege', `the credential may list outside of ${prefix}, where there is nothing now; ${rest}`, remedy);
    case 'objects':
      return note('privilege', `the credential may list outside of ${prefix}, where there are other objects; ${rest}`, remedy);
    case 'unknown':
      return note('privilege', 'whether the credential may do more than it has to is not known');
  }
}

/** What is left of our own. */
export function judgeCleaning(kept: LockedSummary, abandoned: number): Finding[] {
  const left =
    kept.objects === 0
      ? []
      : [
          note(
            'scratch',
            `${kept.objects} objects of this check are kept by a lock${kept.until ? ` until ${kept.until.toISOString()}` : ''}; a later check removes them`,
          ),
        ];
  return [...left, ...(abandoned === 0 ? [] : [note('scratch', `${abandoned} objects that an earlier check had left were removed`)])];
}
