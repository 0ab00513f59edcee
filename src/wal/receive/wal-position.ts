/** Order in the WAL of segments and partial segments: by position, then by timeline, as pg_receivewal ranks them (FindStreamingStart). */
export function compareWalPosition(a: string, b: string): number {
  const [first, second] = [rankOf(a), rankOf(b)];
  if (first === second) return 0;
  return first < second ? -1 : 1;
}

/** The digits are of fixed width, so their text sorts as the numbers do, whatever the segment size. */
function rankOf(name: string): string {
  return `${name.slice(8, 24)}${name.slice(0, 8)}`;
}
