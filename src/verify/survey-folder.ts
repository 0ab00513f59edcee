import { ObjectSum } from '../catalog/evidence/object-sum.ts';
import type { DamagedObject, FolderEvidence, ProvenRun } from './proven.ts';

/** An object in its folder. */
export interface StoredFile {
  readonly name: string;
  readonly size: number;
  readonly lastModified: Date;
}

/** Objects that follow each other in the listing of a folder, of which the same is known. */
export interface Block extends Omit<ProvenRun, 'when'> {
  /** When the first of them was read, and found sound; undefined: they were not all. */
  readonly provenAt: Date | undefined;
  /** Nothing lies between it and the block before. */
  readonly isJoined: boolean;
}

export interface FolderSurvey {
  /** In the order of the listing. Objects that are known to be damaged are in none. */
  readonly blocks: readonly Block[];
  /** Objects that were found damaged, and are still there. */
  readonly damaged: readonly { readonly file: StoredFile; readonly found: DamagedObject }[];
  readonly objects: number;
  readonly bytes: number;
}

export interface SurveyOptions {
  readonly onFile?: (file: StoredFile) => void;
  /** Ascending names at which a block begins in any case. */
  readonly cuts?: readonly string[];
}

/** So many segments of 16 MiB are 64 GiB: about as much as is to be read anew where one of them has changed without becoming younger. */
export const blockObjectsMax = 4096;
/** Younger than that, blocks grow together. */
const alikeMs = 7 * 86_400_000;

/**
 * Compares what is in a folder with what is noted of it. An object that came later, or was replaced, is younger than its run, and is unproven; so is the
 * whole run where one has changed in another way. Where some of a run are gone, the others stay proven. Memory: as many blocks as there are, not objects.
 */
export async function surveyFolder(
  listing: AsyncIterable<StoredFile>,
  { runs, damaged }: FolderEvidence,
  { onFile = () => {}, cuts = [] }: SurveyOptions = {},
): Promise<FolderSurvey> {
  const blocks = new BlockList(runs, cuts);
  const known = new Map(damaged.map((each) => [each.name, each]));
  const stillDamaged: { file: StoredFile; found: DamagedObject }[] = [];
  let [objects, bytes] = [0, 0];
  for await (const file of listing) {
    objects++;
    bytes += file.size;
    onFile(file);
    const found = known.get(file.name);
    if (found === undefined) blocks.add(file);
    else {
      stillDamaged.push({ file, found });
      blocks.interrupt();
    }
  }
  return { blocks: blocks.finish(), damaged: stillDamaged, objects, bytes };
}

/** The blocks of a listing, which come into being in its order. What they are worth is known when all of them have been seen. */
class BlockList {
  readonly #runs: readonly ProvenRun[];
  readonly #blocks: OpenBlock[] = [];
  readonly #cuts: string[];
  #at = 0;
  #open: OpenBlock | undefined;
  #isJoined = false;

  constructor(runs: readonly ProvenRun[], cuts: readonly string[]) {
    this.#cuts = [...cuts];
    this.#runs = runs.toSorted((a, b) => (a.first < b.first ? -1 : 1));
  }

  add(file: StoredFile): void {
    while (this.#at < this.#runs.length && (this.#runs[this.#at] as ProvenRun).last < file.name) this.#at++;
    const run = this.#runs[this.#at];
    const own = run !== undefined && run.first <= file.name && file.lastModified <= run.modified ? run : undefined;
    const isCut = this.#isCutAt(file.name);
    if (isCut || this.#open === undefined || this.#open.run !== own || this.#open.objects >= blockObjectsMax) {
      this.#open = new OpenBlock(own, this.#isJoined);
      this.#blocks.push(this.#open);
    }
    this.#open.add(file);
    this.#isJoined = true;
  }

  /** Something lies here that belongs to no block. */
  interrupt(): void {
    this.#open = undefined;
    this.#isJoined = false;
  }

  #isCutAt(name: string): boolean {
    let isCut = false;
    while ((this.#cuts[0] ?? '\u{10ffff}') <= name) {
      this.#cuts.shift();
      isCut = true;
    }
    return isCut;
  }

  finish(): readonly Block[] {
    const unchanged = new Set<ProvenRun>();
    const byRun = new Map<ProvenRun | undefined, OpenBlock[]>();
    for (const block of this.#blocks) byRun.set(block.run, [...(byRun.get(block.run) ?? []), block]);
    for (const [run, blocks] of byRun) if (run !== undefined && isUnchanged(run, blocks)) unchanged.add(run);
    return this.#blocks.map(({ first, last, objects, bytes, modified, sum, run, isJoined }) => {
      const provenAt = run !== undefined && unchanged.has(run) ? run.when : undefined;
      return { first, last, objects, bytes, modified, sum: String(sum), provenAt, isJoined };
    });
  }
}

class OpenBlock {
  /** To which it seems to belong. */
  readonly run: ProvenRun | undefined;
  readonly isJoined: boolean;
  readonly sum = new ObjectSum();
  first = '';
  last = '';
  objects = 0;
  bytes = 0;
  modified = new Date(0);

  constructor(run: ProvenRun | undefined, isJoined: boolean) {
    this.run = run;
    this.isJoined = isJoined;
  }

  add(file: StoredFile): void {
    if (this.objects === 0) this.first = file.name;
    this.last = file.name;
    this.objects++;
    this.bytes += file.size;
    if (file.lastModified > this.modified) this.modified = file.lastModified;
    this.sum.addObject(file);
  }

  addRun({ first, last, objects, bytes, modified, sum }: ProvenRun): void {
    if (this.objects === 0) this.first = first;
    this.last = last;
    this.objects += objects;
    this.bytes += bytes;
    if (modified > this.modified) this.modified = modified;
    this.sum.addSum(ObjectSum.of(sum));
  }
}

function isUnchanged(run: ProvenRun, blocks: readonly OpenBlock[]): boolean {
  const sum = new ObjectSum();
  for (const block of blocks) sum.addSum(block.sum);
  const objects = blocks.reduce((all, block) => all + block.objects, 0);
  return objects < run.objects || (objects === run.objects && String(sum) === run.sum);
}

/** Collects objects in the order of their listing into runs. */
export class RunBuilder {
  readonly #runs: ProvenRun[] = [];
  #open: OpenRun | undefined;

  /** One that is sound. */
  add(file: StoredFile, when: Date): void {
    this.#openFor(1, when).block.add(file);
  }

  addRun(run: ProvenRun): void {
    this.#openFor(run.objects, run.when).block.addRun(run);
  }

  /** Something follows that is not sound, or not known to be. */
  interrupt(): void {
    if (this.#open) this.#runs.push(closed(this.#open));
    this.#open = undefined;
  }

  finish(): readonly ProvenRun[] {
    this.interrupt();
    return this.#runs;
  }

  #openFor(objects: number, when: Date): OpenRun {
    const open = this.#open;
    if (open !== undefined && open.block.objects + objects <= blockObjectsMax && areAlike(open.when, when)) {
      if (when < open.when) open.when = when;
      return open;
    }
    this.interrupt();
    this.#open = { block: new OpenBlock(undefined, false), when };
    return this.#open;
  }
}

interface OpenRun {
  readonly block: OpenBlock;
  /** When the first of them was read. */
  when: Date;
}

function closed({ block: { first, last, objects, bytes, modified, sum }, when }: OpenRun): ProvenRun {
  return { first, last, objects, bytes, modified, sum: String(sum), when };
}

function areAlike(one: Date, other: Date): boolean {
  return Math.abs(one.getTime() - other.getTime()) <= alikeMs;
}
