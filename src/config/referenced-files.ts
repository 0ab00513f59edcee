import { readFile } from 'node:fs/promises';
import { messageOf, systemErrorCode } from '../lib/errors.ts';
import type { SiteConfig } from './config.ts';

export interface UnusableFile {
  /** The key in `object_storage` that names the file. */
  readonly key: string;
  readonly why: string;
}

/** Files that the store of a site needs and that cannot be used. */
export async function findUnusableFiles({ object_storage: storage }: SiteConfig): Promise<UnusableFile[]> {
  switch (storage.storage_type) {
    case 's3':
      return unusable('cert_path', storage.cert_path, whyNoCertificate);
    case 'google':
      return [
        ...(await unusable('credential_file', storage.credential_file, whyNoJson)),
        ...(await unusable('cert_path', storage.cert_path, whyNoCertificate)),
      ];
    case 'sftp':
      return [
        ...(await unusable('private_key', storage.private_key, (text) =>
          /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text) ? undefined : 'holds no private key',
        )),
        ...(await unusable('known_hosts', storage.known_hosts, () => undefined)),
      ];
    case 'swift':
      return unusable('cert_path', storage.cert_path, whyNoCertificate);
    case 'local':
    case 'azure':
      return [];
  }
}

async function unusable(key: string, file: string | null, whyMalformed: (text: string) => string | undefined): Promise<UnusableFile[]> {
  if (file === null) return [];
  try {
    const why = whyMalformed(await readFile(file, 'utf8'));
    return why === undefined ? [] : [{ key, why: `file ${file} ${why}` }];
  } catch (error) {
    return [{ key, why: `file ${file} cannot be read (${systemErrorCode(error) ?? messageOf(error)})` }];
  }
}

function whyNoCertificate(text: string): string | undefined {
  return text.includes('-----BEGIN CERTIFICATE-----') ? undefined : 'has no certificate in PEM format';
}

function whyNoJson(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch {
    return 'is not JSON';
  }
}
