import { OperatorError } from '../lib/errors.ts';
import { headIfThere } from '../storage/head-if-there.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import type { Metadata } from '../storage/object-store.ts';
import type { Catalog } from './catalog.ts';
import { basebackupNameOf } from './keys.ts';
import { normaliseMetadata } from './metadata-fields.ts';
import { formatTimestamp, parseTimestamp } from './timestamp.ts';

/** Asks that a base backup, named by the key of its main object, and the WAL after it be kept until a moment. The request is an empty object. */
export async function requestPreservation(catalog: Catalog, basebackupKey: string, until: Date, signal?: AbortSignal): Promise<void> {
  const { key, metadata } = requestOf(catalog, basebackupKey, until);
  await catalog.store.put(key, sourceOfBytes(new Uint8Array()), { metadata, isShortLived: true, signal });
}

/** Takes such a request back. */
export async function cancelPreservation(catalog: Catalog, basebackupKey: string, until: Date, signal?: AbortSignal): Promise<void> {
  await catalog.store.delete(requestOf(catalog, basebackupKey, until).key, { signal });
}

/** Named after the file name of the backup's main object, and the moment as Python prints it: with a space. */
function requestOf({ keys }: Catalog, basebackupKey: string, until: Date): { readonly key: string; readonly metadata: Metadata } {
  const backup = basebackupKey.slice(basebackupKey.lastIndexOf('/') + 1);
  const moment = formatTimestamp(until).replace('T', ' ');
  return { key: `${keys.preservationPrefix}${backup}_${moment}`, metadata: { 'preserve-backup': backup, 'preserve-until': moment } };
}

/** Until when which base backups, by name without suffix, must stay: the latest request for each wins. Rejects with `preservation-unreadable`. */
export async function preservedUntil(catalog: Catalog, signal?: AbortSignal): Promise<ReadonlyMap<string, Date>> {
  const latest = new Map<string, Date>();
  for await (const { key } of catalog.store.list(catalog.keys.preservationPrefix, { signal })) {
    const request = await headIfThere(catalog.store, key, signal);
    // Cancelled since the listing.
    if (request === undefined) continue;
    const { name, until } = parseRequest(key, request.metadata);
    const known = latest.get(name);
    if (known === undefined || known < until) latest.set(name, until);
  }
  return latest;
}

/** Removes the requests that ran out before a moment. */
export async function removeExpiredPreservations(catalog: Catalog, before: Date, signal?: AbortSignal): Promise<void> {
  for await (const { key } of catalog.store.list(catalog.keys.preservationPrefix, { signal })) {
    const request = await headIfThere(catalog.store, key, signal);
    if (request && parseRequest(key, request.metadata).until < before) await catalog.store.delete(key, { signal });
  }
}

function parseRequest(key: string, metadata: Metadata): { name: string; until: Date } {
  const { 'preserve-backup': backup, 'preserve-until': text } = normaliseMetadata(metadata);
  const until = text === undefined ? undefined : parseTimestamp(text);
  if (backup !== undefined && until !== undefined) return { name: basebackupNameOf(backup), until };
  throw new OperatorError('preservation-unreadable', `the preservation request ${key} does not say which backup it keeps, or until when`, {
    hint: 'Delete the object; until then nothing is pruned.',
  });
}
