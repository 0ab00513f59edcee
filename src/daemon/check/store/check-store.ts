import { stat } from 'node:fs/promises';
import { Catalog } from '../../../catalog/catalog.ts';
import { SiteKeys } from '../../../catalog/keys.ts';
import { readSiteIdentity } from '../../../catalog/site-identity.ts';
import type { SiteConfig } from '../../../config/load.ts';
import { isOperatorError, systemErrorCode } from '../../../lib/errors.ts';
import type { SeenCluster } from '../../../postgres/seen-cluster.ts';
import { openStore, storePrefixOf } from '../../../storage/drivers.ts';
import type { ObjectStore } from '../../../storage/object-store.ts';
import type { StorageOptions } from '../../../storage/options.ts';
import { passOn } from '../../../storage/pass-on.ts';
import { withSignal } from '../../../storage/with-signal.ts';
import { type CheckDeps, checkMsMax } from '../deps.ts';
import { userName } from '../file-access.ts';
import { type Finding, failed, failure, note, ok, warning } from '../finding.ts';
import { judgeIdentity } from '../postgres/judge-cluster.ts';
import { within } from '../within.ts';
import { tryContract } from './contract.ts';
import {
  judgeCleaning,
  judgeContract,
  judgeLockDays,
  judgePrivilege,
  judgeProbe,
  judgeReach,
  judgeUnreachable,
  lockDaysOf,
} from './judge-store.ts';
import { probe } from './probe.ts';
import { cleanUpMsMax, removeAbandoned, Scratch, type ScratchPlace } from './scratch.ts';
import { describeLogin } from './store-login.ts';

export interface StoreOutcome {
  /** The store's own. */
  readonly name: string;
  readonly findings: readonly Finding[];
  /** Absent where it cannot be asked. */
  readonly catalog?: Catalog;
}

interface Place {
  readonly site: SiteConfig;
  readonly store: ObjectStore;
  readonly keys: SiteKeys;
}

export type SeenClusters = readonly { readonly what: string; readonly cluster: SeenCluster }[];

/** Everything about the store of a site but what lies in it. `stores` closes what is opened here. */
export async function checkStore(
  site: SiteConfig,
  seen: SeenClusters,
  deps: CheckDeps,
  stores: AsyncDisposableStack,
): Promise<StoreOutcome> {
  // What comes and goes to try a store is of no interest to whoever hears of backups.
  const storage = { ...site.object_storage, statsd_info: null, notifier: null };
  const login = ok('login', describeLogin(storage, await userName(process.geteuid?.() ?? 0)));
  const unusable = storage.storage_type === 'local' ? await lookAtDirectory(storage.directory, deps.signal) : undefined;
  if (unusable) return { name: `local directory ${describeDirectory(site)}`, findings: [unusable] };
  const store = await openStore(storage).catch((error: unknown) => failed('open', error));
  if ('remedy' in store) return { name: storage.storage_type, findings: [login, store] };
  closeLater(store, stores);
  const place: Place = { site, store, keys: new SiteKeys(site.prefix) };
  const reach = await reachOf(place, deps);
  if (reach.result === 'failure') return { name: store.name, findings: [login, reach] };
  const catalog = new Catalog(store, place.keys);
  const findings = [
    login,
    reach,
    ...judgeLockDays(storage),
    ...(await tryOut({ ...place, store: await withoutLocks(store, storage, stores) }, deps)),
    await checkPrivilege(place, deps),
    ...(await checkIdentity(catalog, seen, deps)),
  ];
  return { name: store.name, findings, catalog };
}

/** What is stored to try the store must not be locked for days. It is removed as all that is locked: version by version. */
async function withoutLocks(store: ObjectStore, storage: StorageOptions, stores: AsyncDisposableStack): Promise<ObjectStore> {
  if (lockDaysOf(storage) === undefined) return store;
  const unlocked = await openStore({ ...storage, object_lock_days: null } as StorageOptions);
  closeLater(unlocked, stores);
  return { ...passOn(store), put: (...call) => unlocked.put(...call) };
}

function closeLater(store: ObjectStore, stores: AsyncDisposableStack): void {
  stores.defer(() => within(checkMsMax, new AbortController().signal, () => store.close()).catch(() => {}));
}

async function reachOf({ store, keys }: Place, { clock, signal }: CheckDeps): Promise<Finding> {
  const beganAtMs = clock.monotonicMs();
  try {
    await within(checkMsMax, signal, (limited) => hasAny(store, keys.sitePrefix, limited));
    return judgeReach(clock.monotonicMs() - beganAtMs);
  } catch (error) {
    signal.throwIfAborted();
    return judgeUnreachable(error);
  }
}

/** Stores something, in a scratch that is removed whatever happens. */
async function tryOut({ site, store, keys }: Place, deps: CheckDeps): Promise<Finding[]> {
  const { clock, random, signal, quick } = deps;
  const findings: Finding[] = [];
  const scratch = await Scratch.open({ store, keys, storage: site.object_storage, random });
  try {
    const facts = await within(checkMsMax, signal, (limited) => probe(withSignal(scratch.part('probe'), limited), clock));
    findings.push(...judgeProbe(facts));
    if (facts.failed === undefined && !facts.isLocked)
      findings.push(...judgeContract(await tryContract(scratch, quick, clock, signal), quick));
  } catch (error) {
    signal.throwIfAborted();
    findings.push(failed('requests', error));
  } finally {
    findings.push(...(await cleanUp(scratch, { store, keys, storage: site.object_storage }, deps)));
  }
  return findings;
}

/** Heeds no interruption: it is what an interruption has to wait for. */
async function cleanUp(scratch: Scratch, place: Omit<ScratchPlace, 'random'>, { clock }: CheckDeps): Promise<Finding[]> {
  const itself = new AbortController();
  try {
    return await within(cleanUpMsMax, itself.signal, async (limited) => {
      const kept = await scratch.clear();
      return judgeCleaning(kept, await removeAbandoned(place, clock.now(), limited));
    });
  } catch (error) {
    const remedy = `delete what lies below ${place.keys.scratchPrefix} in ${place.store.name}`;
    return [warning('scratch', `what was stored to try the store could not be removed: ${failed('', error).because}`, remedy)];
  }
}

async function checkPrivilege({ site, store, keys }: Place, { signal }: CheckDeps): Promise<Finding> {
  const storage = site.object_storage;
  const prefix = storePrefixOf(storage) + keys.sitePrefix;
  if (storage.storage_type === 'local')
    return note('privilege', 'who owns the directory may do everything in it, delete all backups included');
  if (prefix === '') return note('privilege', 'the site takes the whole store: there is nothing beside it');
  try {
    const isBeyond = await within(checkMsMax, signal, async (limited) => {
      const whole = storage.prefix ? await openStore({ ...storage, prefix: null }) : store;
      try {
        return await hasOther(whole, prefix, limited);
      } finally {
        if (whole !== store) await whole.close();
      }
    });
    return judgePrivilege(isBeyond ? 'objects' : 'nothing', prefix);
  } catch (error) {
    signal.throwIfAborted();
    return judgePrivilege(isOperatorError(error, 'store-denied') ? 'refused' : 'unknown', prefix);
  }
}

async function checkIdentity(catalog: Catalog, seen: SeenClusters, { signal }: CheckDeps): Promise<Finding[]> {
  try {
    return judgeIdentity(await within(checkMsMax, signal, (limited) => readSiteIdentity(catalog, limited)), seen);
  } catch (error) {
    signal.throwIfAborted();
    return [failed('identity', error)];
  }
}

/** A directory that is missing is not made here: it may be the place where a disk is to be mounted. */
async function lookAtDirectory(directory: string, signal: AbortSignal): Promise<Finding | undefined> {
  try {
    if ((await within(checkMsMax, signal, () => stat(directory))).isDirectory()) return undefined;
    return failure('reachable', `${directory} is not a directory`, '"object_storage": { "storage_type": "local", "directory": … }');
  } catch (error) {
    signal.throwIfAborted();
    if (systemErrorCode(error) !== 'ENOENT') return failed('reachable', error);
    const remedy = ['mount its disk, if it is to be one', `mkdir -p ${directory}`];
    return warning('reachable', `${directory} does not exist yet; the daemon makes it when it first stores something`, ...remedy);
  }
}

function describeDirectory({ object_storage: storage }: SiteConfig): string {
  return storage.storage_type === 'local' ? storage.directory : '';
}

async function hasAny(store: ObjectStore, prefix: string, signal: AbortSignal): Promise<boolean> {
  for await (const { key } of store.list(prefix, { signal })) if (key !== '') return true;
  return false;
}

/** The site's own objects are skipped: what sorts before or behind them tells. */
async function hasOther(store: ObjectStore, prefix: string, signal: AbortSignal): Promise<boolean> {
  for (const after of ['', `${prefix}\u{10ffff}`]) {
    for await (const { key } of store.list('', { signal, ...(after !== '' && { after }) })) {
      if (!key.startsWith(prefix)) return true;
      break;
    }
  }
  return false;
}
