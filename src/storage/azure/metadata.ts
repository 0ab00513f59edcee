import { OperatorError } from '../../lib/errors.ts';
import type { Metadata } from '../object-store.ts';

/**
 * Azure takes only names that are identifiers, so `-` is written as `_` and every `_` read as `-`, as the original does. 1.4.0 sent the hyphens, which Azure
 * refuses; where something like Azure took them, they are read as they are. Empty values are left out, because Azure does not sign them reliably.
 */
export function metadataForAzure(key: string, metadata: Metadata): Record<string, string> {
  const kept = Object.entries(metadata).filter(([, value]) => value !== '');
  return Object.fromEntries(
    kept.map(([name, value]) => {
      const why = whyUnfit(name, value);
      if (why !== undefined)
        throw new OperatorError('store-failed', `cannot store ${key}: its metadata entry ${JSON.stringify(name)} ${why}`);
      return [name.replaceAll('-', '_'), value];
    }),
  );
}

export function metadataFromAzure(metadata: Readonly<Record<string, string>> = {}): Metadata {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name.toLowerCase().replaceAll('_', '-'), value]));
}

/** Headers carry it: what is not printable ASCII would be refused, and blanks at the ends would be lost. */
function whyUnfit(name: string, value: string): string | undefined {
  if (!/^[a-z][a-z0-9-]*$/i.test(name)) return 'has a name that Azure cannot keep';
  if (!/^[ -~]*$/.test(value)) return 'has a value with characters other than printable ASCII, which Azure cannot keep';
  if (value.trim() !== value) return 'has a value that begins or ends with a blank, which Azure does not keep';
  return undefined;
}
