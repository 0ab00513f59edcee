import { OperatorError } from '../lib/errors.ts';

export interface NewKey {
  readonly id: string;
  readonly publicKey: string;
  readonly privateKey: string;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** What belongs into a site of the configuration to encrypt its new backups with the key. */
export function keySnippet(site: string, key: NewKey): JsonObject {
  return { backup_sites: { [site]: siteWithKey({}, key) } };
}

/** The name of the site that is meant: the given one, or the only one. Throws if there is none, or if it has a key of this id. */
export function siteForKey(config: unknown, site: string | undefined, keyId: string): string {
  const sites = sitesOf(config);
  const names = Object.keys(sites);
  const name = site ?? (names.length === 1 ? names[0] : undefined);
  if (names.length === 0) throw siteError('site-missing', 'the configuration file defines no backup sites');
  if (name === undefined)
    throw siteError('site-missing', `the configuration file defines ${names.length} backup sites: ${names.join(', ')}`);
  if (!Object.hasOwn(sites, name)) {
    throw siteError('site-unknown', `the configuration file defines no backup site ${name}, but ${names.join(', ')}`);
  }
  if (Object.hasOwn(keysOf(sites[name], name), keyId)) {
    throw new OperatorError('key-exists', `site ${name} has an encryption key with the id ${keyId} already`, {
      hint: 'Choose another id: objects that were encrypted with that key name it by its id.',
    });
  }
  return name;
}

/** The configuration with the key added to the site and made the one that new backups are encrypted with. Keys stay that are there. */
export function withKey(config: unknown, site: string, key: NewKey): JsonObject {
  const name = siteForKey(config, site, key.id);
  const sites = sitesOf(config);
  return { ...asObject(config, 'the configuration'), backup_sites: { ...sites, [name]: siteWithKey(sites[name], key, name) } };
}

/** JSON as the configuration file of pghoard is written: indented by 4, keys sorted. */
export function formatConfig(config: unknown): string {
  return `${JSON.stringify(sorted(config), undefined, 4)}\n`;
}

function siteWithKey(site: unknown, { id, publicKey, privateKey }: NewKey, name = ''): JsonObject {
  return {
    ...asObject(site, `backup_sites.${name}`),
    encryption_key_id: id,
    encryption_keys: { ...keysOf(site, name), [id]: { private: privateKey, public: publicKey } },
  };
}

function sitesOf(config: unknown): JsonObject {
  return asObject(asObject(config, 'the configuration')['backup_sites'] ?? {}, 'backup_sites');
}

function keysOf(site: unknown, name: string): JsonObject {
  return asObject(asObject(site, `backup_sites.${name}`)['encryption_keys'] ?? {}, `backup_sites.${name}.encryption_keys`);
}

function asObject(value: unknown, what: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new OperatorError('config-invalid', `${what} is not a JSON object`);
}

function siteError(code: string, message: string): OperatorError {
  return new OperatorError(code, message, { hint: 'Name one of the sites of the configuration file with --site.' });
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
