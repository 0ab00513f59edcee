import { ObjectSum } from '../catalog/evidence/object-sum.ts';
import { inOrder } from '../lib/in-order.ts';
import type { CheckedFile } from './checked-file.ts';
import type { Finding } from './finding.ts';
import type { DamagedObject, ProvenRun } from './proven.ts';
import { type Block, RunBuilder, type StoredFile } from './survey-folder.ts';
import type { VerifyDeps } from './verify-deps.ts';

export interface FolderWork {
  /** In the order of their names. */
  readonly list: (from: string, to: string) => AsyncIterable<StoredFile>;
  /** Reads some of them. */
  readonly check: (files: readonly StoredFile[]) => Promise<readonly CheckedFile[]>;
  /** Told of each in their order. Returns a finding that only the files before make one. */
  readonly onChecked?: (checked: CheckedFile) => Finding | undefined;
  /** Whether a file may be in one run with the one before. */
  readonly follows?: (name: string, before: string) => boolean;
  /** Found damaged before: they are read by themselves. */
  readonly leaveOut?: ReadonlySet<string> | undefined;
}

export interface CheckedBlock {
  readonly runs: readonly ProvenRun[];
  readonly damaged: readonly DamagedObject[];
  readonly objects: number;
  readonly end: 'finished' | 'used up' | 'failed';
  /** Why it failed: it was interrupted, or the store does not answer. What was read until then counts. */
  readonly error?: unknown;
  /** Files that are larger than all that may be read. */
  readonly tooLarge: number;
}

/** So many files, or bytes, are read by one job. */
const batchFilesMax = 16;
const batchBytesMax = 64 * 1024 * 1024;

/** Reads the files of a block, several at once, as far as the budget goes. What is proven then does not depend on how many are read at once. */
export async function verifyBlock(
  block: Pick<Block, 'first' | 'last'> & Partial<Block>,
  work: FolderWork,
  deps: VerifyDeps,
): Promise<CheckedBlock> {
  const { budget, whenQuiet, pool, clock, onFinding } = deps;
  const runs = new RunBuilder();
  const damaged: DamagedObject[] = [];
  let [objects, tooLarge] = [0, 0];
  let stoppedAt: string | undefined;
  /** Behind files that were passed over. */
  const beginnings = new Set<string>();
  const seen = new ObjectSum();
  let [seenObjects, seenBytes, isPassedOver] = [0, 0, false];
  async function* allowed(): AsyncGenerator<StoredFile> {
    for await (const file of work.list(block.first, block.last)) {
      if (work.leaveOut?.has(file.name)) {
        isPassedOver = true;
        continue;
      }
      await whenQuiet();
      const allows = budget.allows(file.size);
      if (allows === 'used up') {
        stoppedAt = file.name;
        return;
      }
      seen.addObject(file);
      seenObjects++;
      seenBytes += file.size;
      if (allows === 'yes') {
        if (isPassedOver) beginnings.add(file.name);
        isPassedOver = false;
        yield file;
      } else {
        tooLarge++;
        isPassedOver = true;
      }
    }
  }
  const read = async (files: readonly StoredFile[]) => ({ files, checked: await work.check(files) });
  let before = '';
  const take = ({ files, checked }: Awaited<ReturnType<typeof read>>) => {
    for (const [index, each] of checked.entries()) {
      const file = files[index] as StoredFile;
      const finding = each.finding ?? work.onChecked?.(each);
      objects++;
      if (finding !== undefined) onFinding(finding);
      if (finding?.severity === 'damaged') damaged.push(noteOf(file, finding, clock.now()));
      const isSound = !each.isGone && finding?.severity !== 'damaged' && finding?.severity !== 'unread';
      if (!isSound || beginnings.has(file.name) || (before !== '' && work.follows?.(file.name, before) === false)) runs.interrupt();
      if (isSound) runs.add(file, clock.now());
      before = file.name;
    }
  };
  try {
    for await (const batch of inOrder(batches(allowed()), read, pool.threads)) take(batch);
  } catch (error) {
    return { runs: runs.finish(), damaged, objects, tooLarge, end: 'failed', error };
  }
  const found = { damaged, objects, tooLarge };
  if (stoppedAt === undefined) return { ...found, runs: runs.finish(), end: 'finished' };
  const rest = restOf(block, stoppedAt, { sum: seen, objects: seenObjects, bytes: seenBytes });
  return { ...found, runs: [...runs.finish(), ...(rest ? [rest] : [])], end: 'used up' };
}

/** What was not read again is as proven as it was before. */
function restOf(
  { last, sum, objects = 0, bytes = 0, modified, provenAt }: Partial<Block>,
  first: string,
  seen: { readonly sum: ObjectSum; readonly objects: number; readonly bytes: number },
): ProvenRun | undefined {
  if (provenAt === undefined || sum === undefined || modified === undefined || last === undefined || objects <= seen.objects)
    return undefined;
  const rest = ObjectSum.of(sum);
  rest.subtractSum(seen.sum);
  return { first, last, objects: objects - seen.objects, bytes: bytes - seen.bytes, modified, sum: String(rest), when: provenAt };
}

export function noteOf({ name, size, lastModified: modified }: StoredFile, { code, what: cause }: Finding, when: Date): DamagedObject {
  return { name, size, modified, when, code, cause };
}

async function* batches(files: AsyncIterable<StoredFile>): AsyncGenerator<readonly StoredFile[]> {
  let batch: StoredFile[] = [];
  let bytes = 0;
  for await (const file of files) {
    batch.push(file);
    bytes += file.size;
    if (batch.length < batchFilesMax && bytes < batchBytesMax) continue;
    yield batch;
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}
