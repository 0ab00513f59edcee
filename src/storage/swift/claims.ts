import type { Clock } from '../../lib/clock.ts';
import { isOperatorError } from '../../lib/errors.ts';
import type { Random } from '../../lib/random.ts';
import { sourceOfBytes } from '../object-source.ts';
import { storeMissing, storeUnreachable } from '../store-errors.ts';
import type { Container } from './container.ts';
import { type ListedObject, pagesOf } from './listing.ts';
import { claimsPrefix } from './names.ts';
import type { Remover } from './remove.ts';

export interface ClaimDeps {
  readonly container: Container;
  readonly remover: Remover;
  readonly clock: Clock;
  readonly random: Random;
  /** A claim that was not renewed for so long is of a process that died. Renewed four times in that time, and not relied on after three quarters of it. */
  readonly claimDeadAfterMs: number;
}

interface Claim {
  readonly name: string;
  /** By our clock: when the store was last known to have it anew. */
  renewedAtMs: number;
}

const waitMs = 25;
const waitMsMax = 150;
const removeMsMax = 10_000;
/** One page holds all there can be. */
const pageEntries = 1_000;

/**
 * Has one of several writers of the same key work alone. Swift needs that to create: it looks whether an object is there when an upload begins, not when it ends,
 * so of those who begin at once several get through; Ceph does not look at all. Each writes a small object that names it, and then lists who else did. Whoever is alone works; else the
 * first by name waits for the others, who step back. So one at most works as long as listings show what was stored before.
 */
export async function workAlone<T>(
  deps: ClaimDeps,
  key: string,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  for (;;) {
    const claim = await makeClaim(deps, key, signal);
    try {
      if (await isAlone(deps, key, claim, signal)) return await whileClaimed(deps, claim, signal, work);
    } finally {
      await removeClaim(deps, claim);
    }
    await deps.clock.sleep(waitMs + deps.random.next() * (waitMsMax - waitMs), signal);
  }
}

async function makeClaim(deps: ClaimDeps, key: string, signal: AbortSignal | undefined): Promise<Claim> {
  const claim = { name: claimsPrefix(key) + deps.random.hex(8), renewedAtMs: 0 };
  try {
    await renewClaim(deps, claim, signal);
  } catch (error) {
    // It may be there, though nobody said so.
    if (signal?.aborted || isOperatorError(error, 'store-unreachable')) await removeClaim(deps, claim);
    throw error;
  }
  return claim;
}

async function renewClaim({ container, clock }: ClaimDeps, claim: Claim, signal: AbortSignal | undefined): Promise<void> {
  const beganAtMs = clock.monotonicMs();
  const content = sourceOfBytes(new Uint8Array());
  const what = `store ${claim.name}`;
  const answer = await container.request({ method: 'PUT', key: claim.name, content, signal, what, understood: [404] });
  answer.discard();
  if (answer.status === 404) throw storeMissing(container.storeName);
  claim.renewedAtMs = beganAtMs;
}

/** Where it cannot be removed now, others wait until it counts as dead. */
async function removeClaim({ remover }: ClaimDeps, { name }: Claim): Promise<void> {
  await remover.remove([name], AbortSignal.timeout(removeMsMax)).catch(() => {});
}

/** False: step back. */
async function isAlone(deps: ClaimDeps, key: string, claim: Claim, signal: AbortSignal | undefined): Promise<boolean> {
  for (;;) {
    const others = await othersThan(deps, key, claim, signal);
    if (others.length === 0) return true;
    if (others.some((name) => name < claim.name)) return false;
    await deps.clock.sleep(waitMs, signal);
    if (deps.clock.monotonicMs() - claim.renewedAtMs > deps.claimDeadAfterMs / 4) await renewClaim(deps, claim, signal);
  }
}

/** Names of claims that are alive. Those that are not are removed. */
async function othersThan(deps: ClaimDeps, key: string, claim: Claim, signal: AbortSignal | undefined): Promise<readonly string[]> {
  let all: readonly ListedObject[] = [];
  for await (const page of pagesOf(deps.container, claimsPrefix(key), { pageEntries, signal })) {
    all = page;
    break;
  }
  const mine = all.find(({ name }) => name === claim.name);
  if (!mine) throw storeUnreachable(`create ${key}`, deps.container.storeName, new Error('its listing does not show what was just stored'));
  const storesNowMs = mine.lastModified.getTime() + deps.clock.monotonicMs() - claim.renewedAtMs;
  const others = all.filter((it) => it !== mine);
  const isDead = ({ lastModified }: ListedObject) => storesNowMs - lastModified.getTime() > deps.claimDeadAfterMs;
  const names = (some: readonly ListedObject[]) => some.map(({ name }) => name);
  await deps.remover.remove(names(others.filter(isDead)), signal);
  return names(others.filter((it) => !isDead(it)));
}

/** Keeps the claim alive as long as the work takes, and stops the work where that fails. */
async function whileClaimed<T>(
  deps: ClaimDeps,
  claim: Claim,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  const lost = new AbortController();
  const keeping = keepClaim(deps, claim, ended.signal).catch((error: unknown) => lost.abort(error));
  try {
    return await work(signal ? AbortSignal.any([signal, lost.signal]) : lost.signal);
  } finally {
    ended.abort();
    await keeping;
  }
}

async function keepClaim(deps: ClaimDeps, claim: Claim, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await deps.clock.sleep(deps.claimDeadAfterMs / 4, ended).catch(() => {});
    if (ended.aborted) return;
    try {
      await renewClaim(deps, claim, ended);
    } catch (error) {
      if (ended.aborted) return;
      if (deps.clock.monotonicMs() - claim.renewedAtMs > deps.claimDeadAfterMs * 0.75) throw error;
    }
  }
}
