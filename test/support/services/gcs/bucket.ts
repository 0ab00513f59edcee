import { createHash } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import { systemClock } from '../../../../src/lib/clock.ts';
import { compareKeys } from '../../../../src/storage/key-order.ts';
import { bucketMissing, objectMissing, Refusal } from './refusal.ts';

export interface StoredObject {
  readonly name: string;
  readonly bytes: Buffer;
  readonly generation: string;
  readonly md5Hash: string;
  readonly crc32c: string;
  readonly contentType: string;
  readonly contentEncoding: string | undefined;
  readonly storageClass: string;
  readonly kmsKeyName: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly retention: Retention | undefined;
  readonly temporaryHold: boolean;
  readonly timeCreated: string;
}

export interface Retention {
  readonly mode: 'Locked' | 'Unlocked';
  readonly retainUntilTime: string;
}

/** What a client says of an object that it uploads. */
export type NewObject = Partial<Omit<StoredObject, 'bytes' | 'generation' | 'timeCreated'>>;

const nameBytesMax = 1024;

/** Objects of one bucket, and the rules by which the real service takes, keeps and refuses them. */
export class Bucket {
  readonly name: string;
  readonly objects = new Map<string, StoredObject>();
  readonly hasObjectRetention: boolean;
  /** Seconds that every object is kept at least, as a policy of the bucket. */
  retentionSeconds = 0;

  constructor(name: string, hasObjectRetention: boolean) {
    this.name = name;
    this.hasObjectRetention = hasObjectRetention;
  }

  find(name: string, generation: string | null = null): StoredObject {
    const found = this.objects.get(name);
    if (!found || (generation !== null && generation !== found.generation)) throw objectMissing(this.name, name);
    return found;
  }

  put(object: NewObject, bytes: Buffer, query: URLSearchParams): StoredObject {
    const { name } = object;
    if (!name) throw new Refusal(400, 'required', 'Required');
    if (Buffer.byteLength(name) > nameBytesMax) throw new Refusal(400, 'invalid', 'The maximum object length is 1024 characters.');
    this.checkGeneration(name, query);
    const checksums = checksumsOf(bytes);
    if (object.md5Hash && object.md5Hash !== checksums.md5Hash)
      throw new Refusal(400, 'invalid', `Provided MD5 hash "${object.md5Hash}" doesn't match calculated MD5 hash "${checksums.md5Hash}".`);
    if (object.crc32c && object.crc32c !== checksums.crc32c)
      throw new Refusal(400, 'invalid', `Provided CRC32C "${object.crc32c}" doesn't match calculated CRC32C "${checksums.crc32c}".`);
    if (object.retention && !this.hasObjectRetention) throw new Refusal(400, 'invalid', 'Object retention is not enabled for this bucket.');
    this.#checkLock(this.objects.get(name));
    const stored = { ...defaults(), ...object, ...checksums, name, bytes, kmsKeyName: query.get('kmsKeyName') ?? undefined };
    this.objects.set(name, stored);
    return stored;
  }

  delete(name: string, query: URLSearchParams): void {
    const found = this.find(name, query.get('generation'));
    this.checkGeneration(name, query);
    this.#checkLock(found);
    this.objects.delete(name);
  }

  /** An upload's condition is looked at when it begins and when it ends. */
  checkGeneration(name: string, query: URLSearchParams): void {
    const wanted = query.get('ifGenerationMatch');
    const current = this.objects.get(name)?.generation ?? '0';
    if (wanted !== null && wanted !== current)
      throw new Refusal(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.');
  }

  list(query: URLSearchParams): { items: StoredObject[]; nextPageToken: string | undefined } {
    const prefix = query.get('prefix') ?? '';
    const token = query.get('pageToken');
    const from = query.get('startOffset') ?? '';
    const after = token === null ? '' : Buffer.from(token, 'base64url').toString();
    const max = Math.min(1000, Number(query.get('maxResults') ?? 1000));
    const names = [...this.objects.keys()]
      .filter((name) => name.startsWith(prefix) && compareKeys(name, from) >= 0 && compareKeys(name, after) > 0)
      .toSorted(compareKeys);
    const items = names.slice(0, max).map((name) => this.find(name));
    const last = names.length > max ? items.at(-1)?.name : undefined;
    return { items, nextPageToken: last === undefined ? undefined : Buffer.from(last).toString('base64url') };
  }

  resourceOf({ bytes, ...object }: StoredObject): object {
    return {
      kind: 'storage#object',
      id: `${this.name}/${object.name}/${object.generation}`,
      bucket: this.name,
      metageneration: '1',
      size: String(bytes.length),
      updated: object.timeCreated,
      timeStorageClassUpdated: object.timeCreated,
      ...object,
      ...(this.retentionSeconds > 0 && { retentionExpirationTime: this.#expiration(object).toISOString() }),
    };
  }

  #expiration({ timeCreated }: Pick<StoredObject, 'timeCreated'>): Date {
    return new Date(Date.parse(timeCreated) + this.retentionSeconds * 1000);
  }

  #checkLock(object: StoredObject | undefined): void {
    if (!object) return;
    const what = `Object '${this.name}/${object.name}'`;
    if (object.temporaryHold)
      throw new Refusal(
        403,
        'objectUnderActiveHold',
        `${what} is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.`,
      );
    const until = new Date(Math.max(Date.parse(object.retention?.retainUntilTime ?? '1970-01-01'), this.#expiration(object).getTime()));
    if (until > systemClock.now() && (object.retention || this.retentionSeconds > 0))
      throw new Refusal(
        403,
        'retentionPolicyNotMet',
        `${what} is subject to bucket's retention policy or object retention and cannot be deleted or overwritten until ${until.toISOString()}`,
      );
  }
}

let generation = BigInt(systemClock.now().getTime()) * 1000n;

function defaults() {
  generation++;
  return {
    generation: String(generation),
    contentType: 'application/octet-stream',
    contentEncoding: undefined,
    storageClass: 'STANDARD',
    metadata: undefined,
    retention: undefined,
    temporaryHold: false,
    timeCreated: systemClock.now().toISOString(),
  };
}

export function checksumsOf(bytes: Buffer): { md5Hash: string; crc32c: string } {
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32c(bytes));
  return { md5Hash: createHash('md5').update(bytes).digest('base64'), crc32c: crc.toString('base64') };
}

/** The buckets of the double, by name. */
export class Buckets extends Map<string, Bucket> {
  find(name: string): Bucket {
    const found = this.get(name);
    if (!found) throw bucketMissing();
    return found;
  }

  create(name: string, { hasObjectRetention = false } = {}): Bucket {
    if (this.has(name))
      throw new Refusal(409, 'conflict', 'Your previous request to create the named bucket succeeded and you already own it.');
    const bucket = new Bucket(name, hasObjectRetention);
    this.set(name, bucket);
    return bucket;
  }
}
