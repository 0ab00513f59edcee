import type { Clock } from '../../../lib/clock.ts';
import { messageOf } from '../../../lib/errors.ts';
import { forEachLimited } from '../../../lib/limiter.ts';
import { objectStoreContract } from '../../../storage/contract.ts';
import type { Fact } from '../../../storage/contract-tools.ts';
import { withSignal } from '../../../storage/with-signal.ts';
import { within } from '../within.ts';
import type { Scratch } from './scratch.ts';

/** Facts that are tried at once. */
const factsAtOnce = 4;
/** Some store a hundred objects, or some MiB. */
const factMsMax = 60_000;

export interface FactOutcome {
  readonly fact: string;
  readonly kind: Fact['kind'];
  /** Undefined: it holds. */
  readonly why: string | undefined;
}

export interface ContractOutcome {
  readonly outcomes: readonly FactOutcome[];
  readonly tookMs: number;
}

/** Tries what every store must do, each fact in a part of the scratch of its own. `quick`: only what nothing works without. */
export async function tryContract(scratch: Scratch, quick: boolean, clock: Clock, signal: AbortSignal): Promise<ContractOutcome> {
  const facts = objectStoreContract.filter(({ kind }) => !quick || kind !== undefined);
  const outcomes = new Map<number, FactOutcome>();
  const beganAtMs = clock.monotonicMs();
  await forEachLimited(facts.entries(), factsAtOnce, async ([index, { fact, kind, holds }]) => {
    outcomes.set(index, { fact, kind, why: await whyNot(holds, scratch, `fact-${index}`, signal) });
  });
  return { outcomes: facts.flatMap((_, index) => outcomes.get(index) ?? []), tookMs: clock.monotonicMs() - beganAtMs };
}

async function whyNot(holds: Fact['holds'], scratch: Scratch, part: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    await within(factMsMax, signal, (limited) => holds(withSignal(scratch.part(part), limited)));
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    // Assertions show what they compared in further lines.
    return messageOf(error).split('\n')[0] ?? 'it fails';
  }
}
