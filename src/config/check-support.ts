import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfigText } from './check.ts';
import { ConfigError } from './problem.ts';

/** A configuration and what is expected to be found wrong with it. Used by tests only. */
export interface BadConfig {
  readonly name: string;
  readonly content: unknown;
  /** `path: message`, or a regular expression beginning with `^`. */
  readonly problems: readonly string[];
  readonly forDaemon?: true;
}

export const localStore = { storage_type: 'local', directory: '/backups' };

/** A whole file with these keys. */
export const fileWith = (keys: object) => ({ backup_location: '/spool', ...keys });
/** A file with one inactive site of these keys. */
export const siteWith = (keys: object) => fileWith({ backup_sites: { main: { active: false, object_storage: localStore, ...keys } } });
/** A file with active sites. */
export const sitesWith = (sites: Record<string, object>) =>
  fileWith({
    backup_sites: Object.fromEntries(Object.entries(sites).map(([name, site]) => [name, { object_storage: localStore, ...site }])),
  });

/** One test per row. */
export function testBadConfigs(table: readonly BadConfig[]): void {
  for (const { name, content, problems, forDaemon = false } of table) {
    test(`${name}: ${problems.length === 0 ? 'is fine' : 'is refused'}`, () => {
      const found = problemsOf(JSON.stringify(content), forDaemon);
      assert.equal(found.length, problems.length, found.join('\n'));
      for (const [index, expected] of problems.entries()) {
        if (expected.startsWith('^')) assert.match(found[index] ?? '', new RegExp(expected));
        else assert.equal(found[index], expected);
      }
    });
  }
}

/** Every problem of a configuration as `path: message`. */
export function problemsOf(text: string, forDaemon = false): string[] {
  try {
    checkConfigText('pghoard.json', Buffer.from(text), forDaemon).result();
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}
