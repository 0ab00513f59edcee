import { readFile } from 'node:fs/promises';
import { OperatorError } from '../lib/errors.ts';

/** What `cert_path` of `object_storage` names, in PEM. */
export async function readCertificates(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new OperatorError('store-denied', `cert_path of object_storage cannot be read: ${path}`, {
      cause,
      hint: 'Name a PEM file with the certificates to trust that the user of pghoard may read.',
    });
  }
}
