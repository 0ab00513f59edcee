import { createHash, type Hash } from 'node:crypto';
import { readStoredObject, type StoredObject } from '../catalog/stored-object.ts';
import { parseWalMetadata } from '../catalog/wal-entry.ts';
import { defineJob, type JobContext } from '../codec/job.ts';
import { OperatorError } from '../lib/errors.ts';
import { nodeHashName } from '../lib/hash-algorithms.ts';
import { parseTimelineHistory } from '../postgres/timeline-history.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { checkWalSegment, type WalPageHeader, walHeaderBytes } from '../postgres/wal-page.ts';
import { WalWalker } from '../postgres/wal-records/wal-walker.ts';
import type { WalkedSegment } from '../postgres/wal-records/walked-segment.ts';
import type { Metadata } from '../storage/object-store.ts';
import type { StorageOptions } from '../storage/options.ts';
import type { CheckedFile, WalEdges } from './checked-file.ts';
import { findingOf } from './finding.ts';

export interface WalToCheck {
  /** `000000010000000000000003`, `00000002.history`, `….partial`. */
  readonly name: string;
  readonly key: string;
  readonly size: number;
  /** The WAL may end in it before the segment does: a timeline was left in it. */
  readonly mayEnd: boolean;
}

export interface CheckWalInput {
  readonly files: readonly WalToCheck[];
  readonly storage: StorageOptions;
  /** PEM by key id. */
  readonly privateKeys: Readonly<Record<string, string>>;
  /** Of which all of it must be, where that is known. */
  readonly systemIdentifier: bigint | undefined;
}

/** A history is far shorter. */
const historyBytesMax = 1024 * 1024;
const isOverwrittenFlag = 0x0008;
const isContinuationFlag = 0x0001;
const remainingAt = 16;

/** Reads WAL from the store and looks at all of it, one file after the other. Rejects only with what may pass, and with what has nothing to do with the files. */
export const checkWal = defineJob(import.meta.url, 'checkWal', async (input: CheckWalInput, context): Promise<readonly CheckedFile[]> => {
  const checked: CheckedFile[] = [];
  for (const file of input.files) checked.push(await check(file, input, context));
  return checked;
});

async function check(file: WalToCheck, input: CheckWalInput, { signal, report }: JobContext): Promise<CheckedFile> {
  const { name, key, size } = file;
  const { storage, privateKeys } = input;
  const object: StoredObject = { storage, key, storedBytes: size, privateKeys };
  try {
    const content = classifyWalFile(name) === 'history' ? new HistoryContent(name) : new SegmentContent(file, input.systemIdentifier);
    await readStoredObject(object, (bytes) => content.update(bytes), {
      signal,
      onStoredBytes: report,
      onEntry: ({ metadata }) => content.begin(metadata),
    });
    return { name, ...content.finish() };
  } catch (error) {
    if (error instanceof OperatorError && error.code === 'object-missing') return { name, isGone: true };
    if (signal.aborted || (error instanceof OperatorError && error.retryable)) throw error;
    return { name, finding: findingOf(error, key) };
  }
}

class HistoryContent {
  readonly #name: string;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(name: string) {
    this.#name = name;
  }

  begin(): void {}

  update(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes > historyBytesMax) throw new OperatorError('wal-invalid', `${this.#name} is not a timeline history: it is too long`);
    this.#pieces.push(Buffer.from(bytes));
  }

  finish(): Pick<CheckedFile, 'switches'> {
    return { switches: parseTimelineHistory(Buffer.concat(this.#pieces).toString('utf8')) };
  }
}

class SegmentContent {
  readonly #file: WalToCheck;
  readonly #systemIdentifier: bigint | undefined;
  readonly #walker = new WalWalker(() => {});
  readonly #first = Buffer.alloc(walHeaderBytes);
  #bytes = 0;
  #hash: Hash | undefined;
  #expectedHash: string | undefined;

  constructor(file: WalToCheck, systemIdentifier: bigint | undefined) {
    this.#file = file;
    this.#systemIdentifier = systemIdentifier;
  }

  begin(metadata: Metadata): void {
    const { hash, hashAlgorithm = 'sha1' } = parseWalMetadata(metadata);
    const nodeName = nodeHashName(hashAlgorithm);
    if (hash === undefined || nodeName === undefined) return;
    this.#hash = createHash(nodeName);
    this.#expectedHash = hash;
  }

  update(bytes: Uint8Array): void {
    this.#hash?.update(bytes);
    if (this.#bytes < walHeaderBytes) this.#first.set(bytes.subarray(0, walHeaderBytes - this.#bytes), this.#bytes);
    this.#bytes += bytes.length;
    this.#walker.update(bytes);
  }

  finish(): Pick<CheckedFile, 'edges'> {
    const { name } = this.#file;
    if (this.#hash && this.#hash.digest('hex') !== this.#expectedHash) {
      throw new OperatorError('object-corrupt', `stored WAL ${name} does not have the content that its metadata promises`);
    }
    const first = this.#first.subarray(0, this.#bytes);
    const expected = { fileBytes: this.#bytes, systemIdentifier: this.#systemIdentifier };
    const header = checkWalSegment(name, first, expected);
    const walked = this.#walker.finish();
    if (classifyWalFile(name) !== 'segment') return {};
    if (walked.end?.because === 'unreadable' && !this.#file.mayEnd) throw brokenOff(name, walked.end.offset);
    return { edges: edgesOf(first, walked, header, this.#file.mayEnd) };
  }
}

function edgesOf(first: Buffer, walked: WalkedSegment, { long }: WalPageHeader, mayEnd: boolean): WalEdges {
  const flags = first.readUInt16LE(2);
  const begins = (flags & isContinuationFlag) === 0 ? 0 : first.readUInt32LE(remainingAt);
  const ends = mayEnd ? undefined : bytesMissing(walked);
  return { systemIdentifier: long?.systemIdentifier, begins, isOverwritten: (flags & isOverwrittenFlag) !== 0, ends };
}

/** Of a segment that the server left before its end nothing goes on, and neither does what was never written. */
function bytesMissing({ end, unfinished, continued }: WalkedSegment): number | undefined {
  if (end?.because === 'switch') return 0;
  if (end !== undefined) return undefined;
  const piece = unfinished ?? (continued !== undefined && continued.bytes < continued.totalBytes ? continued : undefined);
  return piece === undefined ? 0 : piece.totalBytes - piece.bytes;
}

function brokenOff(name: string, offset: number): OperatorError {
  return new OperatorError(
    'wal-invalid',
    `${name} is not a valid WAL segment: from byte ${offset} on it holds no WAL, or that of another segment`,
  );
}
