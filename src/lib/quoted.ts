/** A word of a command line for `sh`, quoted where that is needed. */
export function quoted(word: string): string {
  return /^[\w./:@+,=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
