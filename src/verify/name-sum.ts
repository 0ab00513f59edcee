import { ObjectSum } from '../catalog/evidence/object-sum.ts';

/** Which names there are, in any order, in a few bytes. */
export interface Names {
  readonly count: number;
  readonly sum: string;
}

export class NameSum {
  readonly #sum = new ObjectSum();
  #count = 0;

  add(name: string): void {
    this.#sum.add(name);
    this.#count++;
  }

  get names(): Names {
    return { count: this.#count, sum: String(this.#sum) };
  }
}
