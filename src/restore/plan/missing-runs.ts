import { nextWalName } from '../../postgres/wal-name.ts';
import type { RestorePlanDocument } from './restore-plan-document.ts';

type Missing = RestorePlanDocument['objects']['missing'][number];

const runsMax = 20;

/** Objects that are to be there and are not: those that follow each other as one, and no more than a few of them by name. */
export class MissingRuns {
  readonly #segmentBytes: number;
  readonly #runs: Missing[] = [];
  #more = 0;

  constructor(segmentBytes: number) {
    this.#segmentBytes = segmentBytes;
  }

  get runs(): readonly Missing[] {
    return this.#runs;
  }

  /** Objects that are not told. */
  get more(): number {
    return this.#more;
  }

  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  addSegment(name: string): void {
    const last = this.#runs.at(-1);
    const follows = last?.kind === 'wal' && this.#more === 0 && nextWalName(last.last, this.#segmentBytes) === name;
    if (last === undefined || !follows) return this.add('wal', name);
    this.#runs[this.#runs.length - 1] = { ...last, last: name, objects: last.objects + 1 };
  }

  add(kind: Missing['kind'], name: string): void {
    if (this.#runs.length < runsMax) this.#runs.push({ kind, first: name, last: name, objects: 1 });
    else this.#more++;
  }
}
