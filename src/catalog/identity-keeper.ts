import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import type { Clock } from '../lib/clock.ts';
import { isOperatorError, messageOf, OperatorError, systemErrorCode } from '../lib/errors.ts';
import { formatJson } from '../lib/json.ts';
import type { Log } from '../lib/log.ts';
import { differenceOf, type SeenCluster, siteOfItsOwn } from '../postgres/seen-cluster.ts';
import type { Catalog } from './catalog.ts';
import {
  claimSite,
  formatSiteIdentity,
  parseSiteIdentity,
  readSiteIdentity,
  type SiteIdentity,
  updateSiteIdentity,
} from './site-identity.ts';

export interface IdentityKeeperDeps {
  readonly site: string;
  readonly catalog: Catalog;
  /** A local file that remembers what the store had: a disk that is not mounted looks like a new store. */
  readonly memoryFile: string;
  /** Of which cluster the WAL is that the store has already; undefined where that cannot be told. */
  readonly clusterOfStoredWal: (signal: AbortSignal | undefined) => Promise<SeenCluster | undefined>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Somebody who wants to store something. */
export interface Applicant extends SeenCluster {
  /** For messages: `the server at postgres@db1:5432`, the name of a WAL segment. */
  readonly what: string;
}

/** Lets nothing into the store of a site but what is of its cluster. The first that comes to a new site is that cluster. */
export class IdentityKeeper {
  readonly #deps: IdentityKeeperDeps;
  #identity: SiteIdentity | undefined;
  #stored: SeenCluster | undefined | null = null;
  #turns: Promise<unknown> = Promise.resolve();

  static async open(deps: IdentityKeeperDeps): Promise<IdentityKeeper> {
    return new IdentityKeeper(deps, await recall(deps));
  }

  private constructor(deps: IdentityKeeperDeps, remembered: SiteIdentity | undefined) {
    this.#deps = deps;
    this.#identity = remembered;
  }

  /** As far as it is known without asking the store. */
  get identity(): SiteIdentity | undefined {
    return this.#identity;
  }

  /**
   * Asks the store, each time, and resolves where all applicants are of the site's cluster, or nothing tells that they are not. A site without an
   * identity gets one: from the WAL it has, else from them. A bucket or container that is missing is made for a site that, as far as this host knows,
   * never stored anything.
   *
   * Rejects with `cluster-mismatch`, `store-empty` (the store had an identity, and now has nothing at all), `store-missing` (it had one, and is not there
   * any more), `identity-unreadable`, and the store's errors.
   */
  async admit(applicants: readonly Applicant[], signal?: AbortSignal): Promise<void> {
    const identity = (await this.#read(signal)) ?? (await this.#claimInTurn(applicants, signal));
    if (identity === undefined) return;
    await this.#remember(identity);
    for (const applicant of applicants) {
      const difference = differenceOf(identity, applicant);
      if (difference !== undefined) throw otherCluster(this.#deps.site, applicant.what, difference);
    }
  }

  /** Notes a major version that was not seen before. */
  async noteMajor(major: string, signal?: AbortSignal): Promise<void> {
    if (this.#identity === undefined || this.#identity.majors.includes(major)) return;
    const identity = await readSiteIdentity(this.#deps.catalog, signal);
    if (identity === undefined) return;
    const updated = { ...identity, majors: [...new Set([...identity.majors, major])] };
    await updateSiteIdentity(this.#deps.catalog, updated, signal);
    await this.#remember(updated);
  }

  async #read(signal: AbortSignal | undefined): Promise<SiteIdentity | undefined> {
    try {
      return await readSiteIdentity(this.#deps.catalog, signal);
    } catch (error) {
      if (!isOperatorError(error, 'store-missing')) throw error;
      return this.#inTurn(() => this.#readOrMake(signal));
    }
  }

  async #readOrMake(signal: AbortSignal | undefined): Promise<SiteIdentity | undefined> {
    try {
      return await readSiteIdentity(this.#deps.catalog, signal);
    } catch (error) {
      if (!isOperatorError(error, 'store-missing')) throw error;
      if (!(await this.#isNew())) throw storeLost(this.#deps, error);
    }
    const { catalog, site, log } = this.#deps;
    await catalog.store.create({ signal });
    log.info({ site }, `made ${catalog.store.name}, which did not exist: the site has not stored anything yet`);
    return undefined;
  }

  #claimInTurn(seen: readonly SeenCluster[], signal: AbortSignal | undefined): Promise<SiteIdentity | undefined> {
    return this.#inTurn(async () => (await readSiteIdentity(this.#deps.catalog, signal)) ?? this.#claim(seen, signal));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turns.then(work);
    this.#turns = done.catch(() => {});
    return done;
  }

  async #claim(seen: readonly SeenCluster[], signal: AbortSignal | undefined): Promise<SiteIdentity | undefined> {
    const { catalog, site, clock, log } = this.#deps;
    const isEmpty = await catalog.isEmpty(signal);
    if (isEmpty && !(await this.#isNew())) throw storeEmpty(this.#deps);
    const stored = isEmpty ? undefined : await this.#clusterOfStored(signal);
    const cluster = [...(stored ? [stored] : []), ...seen].find(isWhole);
    if (cluster === undefined) return undefined;
    const { systemIdentifier, segmentBytes, major } = cluster;
    const identity: SiteIdentity = { systemIdentifier, segmentBytes, majors: major === undefined ? [] : [major], since: clock.now() };
    if (!(await claimSite(catalog, identity, signal))) return readSiteIdentity(catalog, signal);
    const why = cluster === stored ? 'the one that its stored WAL is of' : 'the first that came to it';
    log.info({ site, systemIdentifier: String(systemIdentifier), segmentBytes }, `the site is for one cluster only from now on: ${why}`);
    return identity;
  }

  /** That nothing is there is right only for a store that is new, or that a person says is, by removing what this host remembers of it. */
  async #isNew(): Promise<boolean> {
    if (this.#identity !== undefined) this.#identity = await recall(this.#deps);
    return this.#identity === undefined;
  }

  async #clusterOfStored(signal: AbortSignal | undefined): Promise<SeenCluster | undefined> {
    if (this.#stored === null) this.#stored = await this.#deps.clusterOfStoredWal(signal);
    return this.#stored ?? this.#identity;
  }

  async #remember(identity: SiteIdentity): Promise<void> {
    const text = memoryText(this.#deps, identity);
    const isKnown = this.#identity !== undefined && memoryText(this.#deps, this.#identity) === text;
    this.#identity = identity;
    if (isKnown) return;
    const { memoryFile, site, log } = this.#deps;
    await writeFileAtomic(memoryFile, text).catch((error: unknown) =>
      log.warn(
        { site },
        `a store that is not mounted will not be noticed at the next start: cannot write ${memoryFile}: ${messageOf(error)}`,
      ),
    );
  }
}

/** `what` is of another cluster than the site. */
export function otherCluster(site: string, what: string, difference: string): OperatorError {
  return new OperatorError('cluster-mismatch', `${what} is of another cluster than site ${site}: ${difference}`, { hint: siteOfItsOwn });
}

function isWhole(cluster: SeenCluster): cluster is SeenCluster & Pick<SiteIdentity, 'systemIdentifier' | 'segmentBytes'> {
  return cluster.systemIdentifier !== undefined && cluster.segmentBytes !== undefined;
}

/** Of another store it says nothing. */
async function recall(deps: IdentityKeeperDeps): Promise<SiteIdentity | undefined> {
  const { memoryFile, site, log } = deps;
  try {
    const text = await readFile(memoryFile, 'utf8');
    const identity = parseSiteIdentity(text, memoryFile);
    return text === memoryText(deps, identity) ? identity : undefined;
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') log.warn({ site }, `what was known of the site is forgotten: ${messageOf(error)}`);
    return undefined;
  }
}

function memoryText({ catalog: { store, keys } }: IdentityKeeperDeps, identity: SiteIdentity): string {
  return formatJson({ ...formatSiteIdentity(identity), store: store.name, prefix: keys.prefix });
}

function storeLost({ catalog: { store }, site, memoryFile }: IdentityKeeperDeps, cause: unknown): OperatorError {
  return new OperatorError('store-missing', `${store.name} does not exist any more, and had backups of site ${site}`, {
    cause,
    hint: `Was it deleted, renamed or moved? Until it is back nothing is stored, and WAL waits where it is. To begin anew in a new one, remove ${memoryFile}.`,
  });
}

function storeEmpty({ catalog: { store, keys }, memoryFile }: IdentityKeeperDeps): OperatorError {
  return new OperatorError('store-empty', `${store.name} had backups under '${keys.sitePrefix}', and now has nothing at all there`, {
    hint: `Is its disk mounted, and do object_storage and prefix of the site say where its backups are? To begin anew in an empty store, remove ${memoryFile}.`,
    retryable: true,
  });
}
