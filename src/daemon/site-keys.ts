import type { Config, SiteConfig } from '../config/load.ts';
import { OperatorError } from '../lib/errors.ts';

/** The key pair that new objects of a site are encrypted with; undefined where they are not. */
export function sealingKey(site: SiteConfig): { readonly keyId: string; readonly publicKey: string } | undefined {
  const keyId = site.encryption_key_id;
  if (keyId === null) return undefined;
  const publicKey = site.encryption_keys?.[keyId]?.public;
  if (publicKey) return { keyId, publicKey };
  throw new OperatorError('key-missing', `site ${site.name} is to encrypt with key ${keyId}, but has no such public key`, {
    hint: 'Make one with pghoard_create_keys, or correct encryption_key_id.',
  });
}

/** Finds the private key of an id, for reading. */
export function privateKeyFinder(site: SiteConfig): (keyId: string) => string | undefined {
  return (keyId) => site.encryption_keys?.[keyId]?.private ?? undefined;
}

/** All private keys, by their id, for worker threads. */
export function privateKeysOf({ encryption_keys }: SiteConfig): Record<string, string> {
  const pairs = Object.entries(encryption_keys ?? {});
  return Object.fromEntries(pairs.flatMap(([id, { private: key }]) => (key ? [[id, key]] : [])));
}

/** The site and those it was moved from, itself first. */
export function relatedSites(config: Pick<Config, 'backup_sites'>, site: SiteConfig): readonly [SiteConfig, ...SiteConfig[]] {
  const moved = site.moved_from.map((name) => config.backup_sites[name]).filter((other) => other !== undefined);
  return [site, ...moved];
}
