import { crc32c } from '@node-rs/crc32';
import type { ObjectEntry, ObjectInfo } from '../object-store.ts';
import { UnexpectedAnswer } from './errors.ts';

/** What the JSON API tells of an object, as far as it is of use here. */
export interface ObjectResource {
  readonly name: string;
  readonly generation: string;
  readonly size: string;
  readonly timeCreated: string;
  readonly crc32c?: string;
  readonly md5Hash?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly contentEncoding?: string;
  readonly retention?: { readonly mode: string; readonly retainUntilTime: string };
  readonly retentionExpirationTime?: string;
}

/** One page of a listing. */
export interface Listing {
  readonly items?: readonly ObjectResource[];
  readonly nextPageToken?: string;
}

/** Answers by what they call themselves. */
export interface Answers {
  readonly 'storage#object': ObjectResource;
  readonly 'storage#objects': Listing;
}

/** Rejects what anybody else might say in the store's place, such as the portal of a network. */
export function parseAnswer<Kind extends keyof Answers>(kind: Kind, body: Buffer): Answers[Kind] {
  const parsed = parseJson(body);
  if (parsed?.kind !== kind) throw new UnexpectedAnswer();
  return parsed as Answers[Kind];
}

function parseJson(body: Buffer): { readonly kind?: unknown } | undefined {
  try {
    return JSON.parse(body.toString()) ?? undefined;
  } catch {
    return undefined;
  }
}

export const resourceFields =
  'kind,name,generation,size,timeCreated,crc32c,md5Hash,metadata,contentEncoding,retention,retentionExpirationTime';
export const listFields = 'kind,nextPageToken,items(name,size,timeCreated)';

/** `timeCreated` is that of the content; `updated` also moves when only something about it changes. */
export function infoOf({ name, size, timeCreated }: ObjectResource): ObjectInfo {
  return { key: name, size: Number(size), lastModified: new Date(timeCreated) };
}

export function entryOf(resource: ObjectResource): ObjectEntry {
  const { md5Hash, metadata = {} } = resource;
  const digest = md5Hash === undefined ? undefined : Buffer.from(md5Hash, 'base64').toString('hex');
  return { ...infoOf(resource), metadata, ...(digest !== undefined && { digest }) };
}

/** Until when nobody can delete it. */
export function lockEnd({ retention, retentionExpirationTime }: ObjectResource): Date | undefined {
  const times = [retention?.retainUntilTime, retentionExpirationTime].filter((time) => time !== undefined).map((time) => new Date(time));
  return times.toSorted((a, b) => b.getTime() - a.getTime())[0];
}

/** CRC-32C as the API writes it. It costs next to nothing, where MD5 would keep the main thread busy. */
export class Crc32c {
  #crc = 0;

  update(bytes: Uint8Array): this {
    this.#crc = crc32c(bytes, this.#crc);
    return this;
  }

  toString(): string {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#crc);
    return bytes.toString('base64');
  }
}

export function objectPath(bucket: string, key: string): string {
  return `/storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(key)}`;
}
