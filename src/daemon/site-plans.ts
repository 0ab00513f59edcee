import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { JobRunner } from '../codec/pool.ts';
import type { SiteConfig } from '../config/load.ts';
import { OperatorError } from '../lib/errors.ts';
import { Limiter } from '../lib/limiter.ts';
import { makeRestorePlan } from '../restore/plan/make-plan.ts';
import type { PlanKnowledge } from '../restore/plan/plan-knowledge.ts';
import type { PlanRequest } from '../restore/plan/plan-request.ts';
import type { RestorePlanDocument } from '../restore/plan/restore-plan-document.ts';
import type { DaemonParts } from './daemon-parts.ts';
import type { PlanHow } from './http/site-services.ts';
import { privateKeysOf } from './site-keys.ts';

export interface SitePlansDeps {
  readonly parts: Pick<DaemonParts, 'clock' | 'walPool'>;
  readonly site: SiteConfig;
  readonly catalog: Catalog;
  /** Or why nobody knows. */
  readonly knowledge: () => PlanKnowledge | string;
  readonly basebackups: () => readonly BasebackupEntry[] | undefined;
}

/** Who asks for more waits: each reads from the store. */
const plansMax = 2;

/** Tells what restores of a site would do, from what the daemon knows of it already. */
export class SitePlans {
  readonly #deps: SitePlansDeps;
  readonly #limiter = new Limiter(plansMax);

  constructor(deps: SitePlansDeps) {
    this.#deps = deps;
  }

  make(request: PlanRequest, how: PlanHow, signal: AbortSignal): Promise<RestorePlanDocument> {
    return this.#limiter.run(() => this.#make(request, how, signal), signal);
  }

  async #make(request: PlanRequest, how: PlanHow, signal: AbortSignal): Promise<RestorePlanDocument> {
    const { parts, site, catalog, knowledge, basebackups } = this.#deps;
    const known = knowledge();
    if (typeof known === 'string') throw unknown(known);
    const source = {
      site: site.name,
      catalog,
      storage: site.object_storage,
      privateKeys: privateKeysOf(site),
      keepsAlone: site.keep !== null,
    };
    const deps = {
      ...how,
      backups: async () => (basebackups() ?? []).map((entry) => ({ ...entry, source })),
      knowledge: async () => known,
      pool: besideOthers(parts.walPool),
      clock: parts.clock,
      isHere: false,
    };
    return makeRestorePlan(request, deps, signal);
  }
}

/** What is read is small, and comes over a network: it neither waits for work on WAL, nor holds that up. */
function besideOthers(pool: JobRunner): JobRunner {
  return { threads: pool.threads, run: (job, input, options) => pool.run(job, input, { ...options, mostlyWaits: true }) };
}

function unknown(because: string): OperatorError {
  return new OperatorError('recoverability-unknown', `it is not known yet what can be restored: ${because}`, {
    retryable: true,
    hint: 'Ask again in a moment; "pghoard_restore plan" finds out from the store alone.',
  });
}
