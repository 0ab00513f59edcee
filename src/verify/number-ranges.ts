/** Numbers that have been done, as ranges in ascending order: few where they are done one after the other. */
export class NumberRanges {
  #ranges: (readonly [number, number])[];

  constructor(ranges: readonly (readonly [number, number])[] = []) {
    this.#ranges = [...ranges];
  }

  get ranges(): [number, number][] {
    return this.#ranges.map(([first, last]) => [first, last]);
  }

  has(number: number): boolean {
    return this.#ranges.some(([first, last]) => first <= number && number <= last);
  }

  add(number: number): void {
    if (this.has(number)) return;
    const before = this.#ranges.find(([, last]) => last === number - 1);
    const after = this.#ranges.find(([first]) => first === number + 1);
    const joined = [before?.[0] ?? number, after?.[1] ?? number] as const;
    this.#ranges = [...this.#ranges.filter((range) => range !== before && range !== after), joined].toSorted(([a], [b]) => a - b);
  }
}
