import type { DamagedObject, FolderEvidence, ProvenRun } from './proven.ts';
import { type Block, type FolderSurvey, RunBuilder, type StoredFile } from './survey-folder.ts';
import type { CheckedBlock } from './verify-folder.ts';

/** What is known of a folder by now: what was noted before, and what this run has found out. */
export class FolderBook {
  readonly survey: FolderSurvey;
  readonly #follows: (name: string, before: string) => boolean;
  readonly #read = new Map<Block, readonly ProvenRun[]>();
  readonly #damaged = new Map<string, DamagedObject>();
  /** Found damaged before, and sound by now. */
  readonly #mended: ProvenRun[] = [];
  #isChanged: boolean;

  /** `before`: what was noted. `follows`: whether a file may be in one run with the one that is listed before it. */
  constructor(survey: FolderSurvey, before: FolderEvidence, follows: (name: string, before: string) => boolean) {
    this.survey = survey;
    this.#follows = follows;
    for (const { found } of survey.damaged) this.#damaged.set(found.name, found);
    const known = survey.blocks.filter(({ provenAt }) => provenAt !== undefined);
    this.#isChanged = known.length !== before.runs.length || survey.damaged.length !== before.damaged.length;
  }

  /** Something is known that is not noted. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  get damaged(): readonly DamagedObject[] {
    return [...this.#damaged.values()];
  }

  checked(block: Block, { runs, damaged }: CheckedBlock): void {
    this.#read.set(block, runs);
    for (const each of damaged) this.#damaged.set(each.name, each);
    this.#isChanged = true;
  }

  /** One that was damaged has been read again. */
  checkedAgain({ name }: StoredFile, { runs, damaged }: CheckedBlock): void {
    this.#damaged.delete(name);
    for (const each of damaged) this.#damaged.set(each.name, each);
    this.#mended.push(...runs);
    this.#isChanged = true;
  }

  /** To be noted. */
  get evidence(): FolderEvidence {
    return { runs: this.#runs(), damaged: this.damaged.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
  }

  /** When what was read longest ago was read; undefined: some was never. */
  get oldest(): { readonly unprovenObjects: number; readonly unprovenBytes: number; readonly provenAt: Date | undefined } {
    const runs = this.#runs();
    const { objects, bytes } = this.survey;
    const damagedBytes = this.damaged.reduce((sum, { size }) => sum + size, 0);
    return {
      unprovenObjects: Math.max(objects - runs.reduce((sum, run) => sum + run.objects, 0) - this.#damaged.size, 0),
      unprovenBytes: Math.max(bytes - runs.reduce((sum, run) => sum + run.bytes, 0) - damagedBytes, 0),
      provenAt: runs.reduce<Date | undefined>((oldest, { when }) => (oldest === undefined || when < oldest ? when : oldest), undefined),
    };
  }

  #runs(): readonly ProvenRun[] {
    const builder = new RunBuilder();
    let last: string | undefined;
    for (const block of this.survey.blocks) {
      if (!block.isJoined) builder.interrupt();
      const runs = this.#read.get(block) ?? asRun(block);
      for (const [index, run] of runs.entries()) {
        // Between those of one block lies something that is not proven.
        if (index > 0 || (last !== undefined && !this.#follows(run.first, last))) builder.interrupt();
        builder.addRun(run);
        last = run.last;
      }
      if (runs.at(-1)?.last !== block.last) builder.interrupt();
    }
    return [...builder.finish(), ...this.#mended].toSorted((a, b) => (a.first < b.first ? -1 : 1));
  }
}

function asRun({ provenAt: when, ...block }: Block): ProvenRun[] {
  const { first, last, objects, bytes, modified, sum } = block;
  return when === undefined ? [] : [{ first, last, objects, bytes, modified, sum, when }];
}
