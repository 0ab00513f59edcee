/** ISO 8601 in UTC, of microseconds since 1970: `2026-11-22T12:03:00.250000Z`. */
export function commitTime(microseconds: number): string {
  const seconds = new Date(Math.floor(microseconds / 1000)).toISOString().slice(0, 19);
  return `${seconds}.${String(microseconds % 1_000_000).padStart(6, '0')}Z`;
}
