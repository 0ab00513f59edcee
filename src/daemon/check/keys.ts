import type { BasebackupEntry } from '../../catalog/basebackup-entry.ts';
import { sealBytes, unsealBytes } from '../../codec/seal-bytes.ts';
import type { SiteConfig } from '../../config/load.ts';
import { type Finding, failed, failure, note, ok } from './finding.ts';

const probe = Buffer.from('pghoard check');

type KeysOfSite = Pick<SiteConfig, 'name' | 'encryption_key_id' | 'encryption_keys'>;
type SealedBackup = Pick<BasebackupEntry, 'encryptionKeyId'>;

/** Whether what is stored can be encrypted, and what is stored already be read. `backups`: undefined where they could not be listed. */
export async function checkKeys(site: KeysOfSite, backups: readonly SealedBackup[] | undefined, configFile: string): Promise<Finding[]> {
  const own =
    site.encryption_key_id === null ? judgeNoEncryption(site, configFile) : await tryKey(site, site.encryption_key_id, configFile);
  return [own, ...(backups === undefined ? [] : judgeKeysOfBackups(site, backups))];
}

function judgeNoEncryption({ name }: KeysOfSite, configFile: string): Finding {
  return note(
    'encryption',
    'what is stored is not encrypted: who can read the store can read the databases',
    `pghoard_create_keys --site ${name} --key-id 1 --config ${configFile}`,
  );
}

/** Seals a few bytes, and opens them again where the private key is here. */
async function tryKey({ name, encryption_keys: keys }: KeysOfSite, id: string, configFile: string): Promise<Finding> {
  const pair = keys?.[id];
  if (!pair?.public)
    return failure(
      'encryption',
      `encryption_key_id is ${id}, but there is no such public key`,
      `pghoard_create_keys --site ${name} --key-id ${id} --config ${configFile}`,
    );
  try {
    const sealed = await sealBytes(probe, { compression: { algorithm: 'snappy', level: 0 }, publicKey: pair.public });
    if (!pair.private) {
      return note(
        'encryption',
        `key ${id} encrypts; its private key is not here, so this host cannot restore. Is it kept somewhere that survives the loss of this host?`,
      );
    }
    const opened = await unsealBytes(sealed, { compression: 'snappy', privateKey: pair.private }, probe.length);
    if (!opened.equals(probe))
      return failure('encryption', `what key ${id} encrypts does not come back`, 'make another pair with pghoard_create_keys');
    return ok('encryption', `key ${id} encrypts, and its private key decrypts`);
  } catch (error) {
    return failed('encryption', error);
  }
}

export function judgeKeysOfBackups(
  { encryption_keys: keys }: Pick<KeysOfSite, 'encryption_keys'>,
  backups: readonly SealedBackup[],
): Finding[] {
  const ids = [...new Set(backups.flatMap(({ encryptionKeyId }) => encryptionKeyId ?? []))];
  if (ids.length === 0) return [];
  const unknown = ids.filter((id) => keys?.[id] === undefined);
  const closed = ids.filter((id) => keys?.[id] !== undefined && keys[id]?.private === null);
  const missing =
    unknown.length === 0
      ? []
      : [
          failure(
            'keys-of-backups',
            `base backups are encrypted with ${unknown.join(', ')}, which the configuration does not know`,
            'bring the private key back from where it is kept, into encryption_keys',
          ),
        ];
  const absent =
    closed.length === 0
      ? []
      : [
          note(
            'keys-of-backups',
            `base backups are encrypted with ${closed.join(', ')}, of which only the public key is here: restore where the private one is`,
          ),
        ];
  return missing.length + absent.length > 0
    ? [...missing, ...absent]
    : [ok('keys-of-backups', `the private keys of all base backups are here (${ids.join(', ')})`)];
}
