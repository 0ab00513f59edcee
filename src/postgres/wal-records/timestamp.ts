/** Seconds between 1970 and 2000, from which TimestampTz counts. */
const epochSeconds = 946_684_800;

/** TimestampTz as microseconds since 1970. */
export function readTimestamp(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true) + epochSeconds * 1_000_000;
}
