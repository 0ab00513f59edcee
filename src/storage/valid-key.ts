import { OperatorError } from '../lib/errors.ts';

/**
 * Refuses keys that a store could not give back under the same name, or that would lead out of it: `key-invalid`.
 * Names beginning with `.`, and those that look like the local driver's sidecars, are refused everywhere: listings of local stores leave them out.
 */
export function checkKey(key: string): void {
  const why = whyInvalid(key);
  if (why !== undefined) throw new OperatorError('object-key-invalid', `${JSON.stringify(key)} cannot be the key of an object: ${why}`);
}

/** As {@link checkKey}, for what a listing's keys begin with. */
export function checkPrefix(prefix: string): void {
  const parts = prefix.split('/');
  const bad =
    prefix.includes('\0') || prefix.startsWith('/') || parts.slice(0, -1).some((part) => part === '' || part === '.' || part === '..');
  if (bad || parts.at(-1) === '..')
    throw new OperatorError('object-key-invalid', `${JSON.stringify(prefix)} cannot be what keys begin with`);
}

function whyInvalid(key: string): string | undefined {
  if (key === '') return 'it is empty';
  if (key.includes('\0')) return 'it contains a NUL';
  if (key.startsWith('/')) return 'it begins with a slash';
  if (!key.isWellFormed()) return 'it is not well-formed Unicode';
  const parts = key.split('/');
  if (parts.includes('')) return 'it has an empty part';
  if (parts.some((part) => part.startsWith('.'))) return 'a part of it begins with a dot';
  if (key.endsWith('.metadata') || (parts.at(-1) ?? '').includes('.metadata_tmp'))
    return 'its name is reserved for metadata of local stores';
  return undefined;
}
