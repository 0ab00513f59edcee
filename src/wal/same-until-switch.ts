import { readFile, rm } from 'node:fs/promises';
import { isOperatorError } from '../lib/errors.ts';
import { parseTimelineHistory } from '../postgres/timeline-history.ts';
import { classifyWalFile, parseWalName } from '../postgres/wal-name.ts';
import { samePrefix } from './same-prefix.job.ts';
import type { SpooledWal } from './spooled-wal.ts';
import { type OpenedWal, openStoredWal, type ReceiveDeps, type ReceivedWal, receiveWal, type WalSource } from './stored-wal.ts';

/**
 * Whether the segment in which a timeline was left is stored with the same WAL up to where it was left. What lies behind that is nobody's WAL, and may
 * differ: PostgreSQL keeps what the file held before, and a receiver what the old primary still sent. `ours` is a plain file, or waits in the spool.
 *
 * False as long as no stored history tells where that was, and where it cannot be compared because a private key is not here.
 */
export async function sameUntilSwitch(name: string, ours: string | SpooledWal, source: WalSource, deps: ReceiveDeps): Promise<boolean> {
  if (classifyWalFile(name) !== 'partial') return false;
  await using received = new ReceivedFiles(deps);
  try {
    const stored = await received.add(await openStoredWal(name, [source], deps.signal));
    const bytes = stored?.segmentBytes && (await bytesUntilSwitch(name, stored.segmentBytes, source, received));
    if (stored === undefined || !bytes) return false;
    const path = typeof ours === 'string' ? ours : (await received.add(spooledBody(ours, source)))?.path;
    return path !== undefined && (await deps.pool.run(samePrefix, { paths: [path, stored.path], bytes }, { signal: deps.signal }));
  } catch (error) {
    if (isOperatorError(error, 'key-missing')) return false;
    throw error;
  }
}

/** Up to where any timeline that is known continues this one, as bytes of the segment; 0 where none leaves it there. */
async function bytesUntilSwitch(name: string, segmentBytes: number, source: WalSource, received: ReceivedFiles): Promise<number> {
  const segment = parseWalName(name.slice(0, -'.partial'.length), segmentBytes);
  const { signal } = received.deps;
  let bytes = 0;
  for await (const { name: history } of source.catalog.walFiles('history', { signal })) {
    const file = await received.add(await openStoredWal(history, [source], signal));
    const switches = file === undefined ? [] : parseTimelineHistory(await readFile(file.path, 'utf8'));
    const left = switches.find(({ timeline }) => timeline === segment.timeline);
    const offset = left === undefined ? -1 : Number(left.switchLsn - segment.number * BigInt(segmentBytes));
    if (offset <= segmentBytes) bytes = Math.max(bytes, offset);
  }
  return bytes;
}

function spooledBody({ name, path, size, metadata }: SpooledWal, source: WalSource): OpenedWal {
  const entry = { key: source.catalog.walKey(name), size, lastModified: new Date(0), metadata };
  return { name, source, body: { entry, bytes: noBytes(), file: path } };
}

/** The file itself is read. */
async function* noBytes(): AsyncGenerator<Uint8Array> {}

/** Plain files that are gone once disposed of. */
class ReceivedFiles implements AsyncDisposable {
  readonly deps: ReceiveDeps;
  readonly #paths: string[] = [];

  constructor(deps: ReceiveDeps) {
    this.deps = deps;
  }

  async add(opened: OpenedWal | undefined): Promise<ReceivedWal | undefined> {
    if (opened === undefined) return undefined;
    const file = await receiveWal(opened, this.deps);
    this.#paths.push(file.path);
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of this.#paths) await rm(path, { force: true });
  }
}
