import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { sourceOfBytes } from '../object-source.ts';
import { storeUnreachable } from '../store-errors.ts';
import type { Container } from './container.ts';
import { type ListedObject, pagesOf } from './listing.ts';
import { claimsPrefix } from './names.ts';
import type { Remover } from './remove.ts';

export interface ClaimDeps {
  readonly container: Container;
  readonly remover: Remover;
  readonly clock: Clock;
  readonly random: Random;
}

interface Claim {
  readonly name: string;
  /** By our clock: when the store was last known to have it anew. */
  renewedAtMs: number;
}

/** A claim that was not renewed for so long is of a process that died. */
const deadAfterMs = 60_000;
const renewEveryMs = 15_000;
/** From then on others may take our claim for dead soon. */
const actsForMs = 45_000;
const waitMs = 25;
const waitMsMax = 150;
const removeMsMax = 10_000;
const pageEntries = 1_000;

/**
 * Has one of several writers of the same key work alone. Swift needs that to create: it looks whether an object is there when an upload begins, not when it ends,
 * so of those who begin at once several get through. Each writes a small object that names it, and then lists who else did. Whoever is alone works; else the
 * first by name waits for the others, who step back. So one at most works as long as listings show what was stored before.
 */
export async function workAlone<T>(
  deps: ClaimDeps,
  key: string,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
  isFutile: () => Promise<void>,
): Promise<T> {
  for (;;) {
    const claim = await makeClaim(deps, key, signal);
    try {
      if (await isAlone(deps, key, claim, signal)) return await whileClaimed(deps, claim, signal, work);
    } finally {
      await removeClaim(deps, claim);
    }
    await deps.clock.sleep(waitMs + deps.random.next() * (waitMsMax - waitMs), signal);
    await isFutile();
  }
}

async function makeClaim(deps: ClaimDeps, key: string, signal: AbortSignal | undefined): Promise<Claim> {
  const claim = { name: claimsPrefix(key) + deps.random.hex(8), renewedAtMs: 0 };
  await renewClaim(deps, claim, signal);
  return claim;
}

async function renewClaim({ container, clock }: ClaimDeps, claim: Claim, signal: AbortSignal | undefined): Promise<void> {
  const beganAtMs = clock.monotonicMs();
  const content = sourceOfBytes(new Uint8Array());
  const what = `store ${claim.name}`;
  (await container.request({ method: 'PUT', key: claim.name, content, signal, what })).discard();
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
    if (deps.clock.monotonicMs() - claim.renewedAtMs > renewEveryMs) await renewClaim(deps, claim, signal);
  }
}

/** Names of claims that are alive. Those that are not are removed. */
async function othersThan(deps: ClaimDeps, key: string, claim: Claim, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const all: ListedObject[] = [];
  for await (const page of pagesOf(deps.container, claimsPrefix(key), { pageEntries, signal })) all.push(...page);
  const mine = all.find(({ name }) => name === claim.name);
  if (!mine) throw storeUnreachable(`create ${key}`, deps.container.storeName, new Error('its listing does not show what was just stored'));
  const storesNowMs = mine.lastModified.getTime() + deps.clock.monotonicMs() - claim.renewedAtMs;
  const others = all.filter((it) => it !== mine);
  const isDead = ({ lastModified }: ListedObject) => storesNowMs - lastModified.getTime() > deadAfterMs;
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
    await deps.clock.sleep(renewEveryMs, ended).catch(() => {});
    if (ended.aborted) return;
    try {
      await renewClaim(deps, claim, ended);
    } catch (error) {
      if (ended.aborted) return;
      if (deps.clock.monotonicMs() - claim.renewedAtMs > actsForMs) throw error;
    }
  }
}
