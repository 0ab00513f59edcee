/** What a value is once it has been JSON. */
export type AsJson<T> = T extends Date
  ? string
  : T extends string | number | boolean | null
    ? T
    : T extends readonly (infer Item)[]
      ? readonly AsJson<Item>[]
      : T extends object
        ? { readonly [Key in keyof T]: AsJson<T[Key]> }
        : T extends undefined
          ? undefined
          : unknown;

/** JSON as the original writes it: keys sorted, indented by four, a final newline. Dates become ISO text with `Z`. */
export function formatJson(value: unknown): string {
  return `${JSON.stringify(sorted(value), undefined, 4)}\n`;
}

function sorted(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
