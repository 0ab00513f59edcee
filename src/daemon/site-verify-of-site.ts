import type { Catalog } from '../catalog/catalog.ts';
import type { SiteConfig } from '../config/load.ts';
import type { Admission } from './admission.ts';
import type { DaemonParts } from './daemon-parts.ts';
import type { Ownership } from './ownership.ts';
import { privateKeysOf } from './site-keys.ts';
import type { SiteLoop } from './site-loop.ts';
import { SiteVerify } from './site-verify.ts';

export interface SiteVerifyParts {
  readonly parts: DaemonParts;
  readonly site: SiteConfig;
  readonly catalog: Catalog;
  readonly admission: Admission;
  readonly ownership: Ownership;
  readonly loop: SiteLoop;
  readonly signal: AbortSignal;
}

const toldMax = 3;

/** Undefined where what is stored is not to be read again. */
export function siteVerifyOf({ parts, site, catalog, admission, ownership, loop, signal }: SiteVerifyParts): SiteVerify | undefined {
  const { pool, walPool, uploads, metrics, clock, log } = parts;
  if (!site.active || site.verify.bytes_per_day === 0) return undefined;
  const job = { site: site.name, kind: 'verify', what: 'the reading of what is stored' } as const;
  return new SiteVerify({
    site: site.name,
    catalog,
    storage: site.object_storage,
    privateKeys: privateKeysOf(site),
    options: site.verify,
    pool,
    isOwn: () => ownership.isHeld && admission.obstacle === undefined,
    isQuiet: () => uploads.pending === 0 && walPool.pending === 0 && loop.backupActivity?.running !== true,
    watch: (work) => parts.jobs.run(job, signal, work),
    metrics,
    clock,
    log,
    signal,
  });
}

/** Null: nothing is damaged, as far as it was read. Undefined: nothing was. */
export function damageInWords(verify: SiteVerify | undefined): string | null | undefined {
  const damaged = verify?.state.report?.damaged;
  if (damaged === undefined) return verify === undefined ? null : undefined;
  if (damaged.length === 0) return null;
  const told = damaged.slice(0, toldMax).map(({ object, what }) => `${object}: ${what}`);
  return `${told.join('; ')}${damaged.length > toldMax ? `; and ${damaged.length - toldMax} more` : ''}`;
}
