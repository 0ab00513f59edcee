import { OperatorError } from '../lib/errors.ts';

/**
 * A version as PostgreSQL counts it (`server_version_num`): `9.6.5` → 90605, `15.18 (Debian 15.18-0+deb12u1)` → 150018, `18rc1` → 180000.
 * Throws `version-invalid`.
 */
export function parseVersionNumber(text: string): number {
  const match = /^\s*(\d{1,3})(?:\.(\d{1,4}))?(?:\.(\d{1,4}))?(?:devel|alpha\d*|beta\d*|rc\d*)?(?![\w.])/.exec(text);
  if (!match) throw new OperatorError('version-invalid', `${JSON.stringify(text)} is not a PostgreSQL version`);
  const [first, second, third] = match.slice(1).map((part) => Number(part ?? 0)) as [number, number, number];
  return first >= 10 ? first * 10_000 + second : first * 10_000 + second * 100 + third;
}

/** What names a major version: `15`, before 10 `9.6`. */
export function majorOf(version: number): string {
  const first = Math.floor(version / 10_000);
  return first >= 10 ? String(first) : `${first}.${Math.floor(version / 100) % 100}`;
}

/** What pghoard can back up. */
export const majorsSupported = { oldest: 13, newest: 18 } as const;

/** Why a server of this version cannot be relied on; undefined where it can. */
export function unsupportedBecause(version: number): string | undefined {
  const major = Math.floor(version / 10_000);
  const { oldest, newest } = majorsSupported;
  if (major >= oldest && major <= newest) return undefined;
  return `PostgreSQL ${majorOf(version)} is ${major < oldest ? 'older' : 'newer'} than what this version of pghoard supports (${oldest} to ${newest})`;
}
