import { isOperatorError, OperatorError } from '../lib/errors.ts';
import { formatJson } from '../lib/json.ts';
import { isSegmentBytes } from '../postgres/wal-name.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import type { ObjectBody } from '../storage/object-store.ts';
import type { Catalog } from './catalog.ts';

/** Which cluster a site belongs to. WAL of any other would meet it under the same names. */
export interface SiteIdentity {
  readonly systemIdentifier: bigint;
  readonly segmentBytes: number;
  /** Major versions that were seen of it, in that order. */
  readonly majors: readonly string[];
  /** From when on nothing of another cluster was let in. What is older may be from before anybody looked. */
  readonly since: Date;
}

const formatVersion = 1;
const bytesMax = 64 * 1024;

/** Undefined where the store has none: nobody has claimed the site yet, or only versions that did not know of it. Rejects with `identity-unreadable`. */
export async function readSiteIdentity({ store, keys }: Catalog, signal?: AbortSignal): Promise<SiteIdentity | undefined> {
  try {
    const text = await textOf(await store.get(keys.identity, { signal }));
    return parseSiteIdentity(text, `${keys.identity} in ${store.name}`);
  } catch (error) {
    // Half of it is what a crash left of a claim, which is to be made again.
    if (isOperatorError(error, 'object-missing', 'object-incomplete')) return undefined;
    throw error;
  }
}

/** Says whether it is there now because of this call; of several who claim a site one wins. */
export async function claimSite({ store, keys }: Catalog, identity: SiteIdentity, signal?: AbortSignal): Promise<boolean> {
  try {
    await store.put(keys.identity, sourceOf(identity), { metadata: {}, createOnly: true, isShortLived: true, signal });
    return true;
  } catch (error) {
    if (isOperatorError(error, 'object-exists')) return false;
    throw error;
  }
}

/** Notes what became known later. The cluster itself never changes. */
export async function updateSiteIdentity({ store, keys }: Catalog, identity: SiteIdentity, signal?: AbortSignal): Promise<void> {
  await store.put(keys.identity, sourceOf(identity), { metadata: {}, isShortLived: true, signal });
}

export function formatSiteIdentity({ systemIdentifier, segmentBytes, majors, since }: SiteIdentity): Record<string, unknown> {
  return {
    format: formatVersion,
    // A 64-bit number is more than most readers of JSON can hold.
    system_identifier: String(systemIdentifier),
    wal_segment_size: segmentBytes,
    major_versions: majors,
    since,
  };
}

/** `where`: for the message. Throws `identity-unreadable`. */
export function parseSiteIdentity(text: string, where: string): SiteIdentity {
  const fields = parseObject(text, where);
  const format = fields['format'];
  if (typeof format === 'number' && format > formatVersion) throw writtenByNewer(where, format);
  const systemIdentifier = fields['system_identifier'];
  const segmentBytes = fields['wal_segment_size'];
  const majors = fields['major_versions'];
  const since = new Date(String(fields['since']));
  const isSound =
    format === formatVersion &&
    typeof systemIdentifier === 'string' &&
    /^\d{1,20}$/.test(systemIdentifier) &&
    typeof segmentBytes === 'number' &&
    isSegmentBytes(segmentBytes) &&
    Array.isArray(majors) &&
    majors.every((major) => typeof major === 'string') &&
    !Number.isNaN(since.getTime());
  if (!isSound) throw damaged(where);
  return { systemIdentifier: BigInt(systemIdentifier), segmentBytes, majors, since };
}

function parseObject(text: string, where: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch (error) {
    throw damaged(where, error);
  }
  throw damaged(where);
}

async function textOf({ entry, bytes }: ObjectBody): Promise<string> {
  if (entry.size > bytesMax) throw damaged(entry.key);
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

function sourceOf(identity: SiteIdentity) {
  return sourceOfBytes(Buffer.from(formatJson(formatSiteIdentity(identity))));
}

function damaged(where: string, cause?: unknown): OperatorError {
  return new OperatorError('identity-unreadable', `${where} does not tell which cluster the site belongs to`, {
    cause,
    hint: 'Bring it back from a copy. If there is none, delete it: it is made anew from the WAL that is stored.',
  });
}

function writtenByNewer(where: string, format: number): OperatorError {
  return new OperatorError('identity-unreadable', `${where} has the format ${format}, of which this version knows nothing`, {
    hint: 'A newer pghoard works on this site. Use that one here, too. Restoring is possible with this one.',
  });
}
