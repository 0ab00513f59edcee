import { globSync, readFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';

/** One import as written: `from './lib/clock.ts'`. */
export interface Import {
  /** What it names: a path from the repository's root for relative imports (`src/lib/clock.ts`), else as written (`node:fs`, `pg`). */
  readonly target: string;
  readonly relative: boolean;
  /** `import('…')` in code; loaded only when that line runs. */
  readonly dynamic: boolean;
  /** `import type`, erased by the compiler. */
  readonly typeOnly: boolean;
}

export interface SourceFile {
  /** From the repository's root: `src/wal/archive.ts`. */
  readonly path: string;
  /** Without comments. */
  readonly code: string;
  readonly imports: readonly Import[];
}

/** All TypeScript files under these folders of `root`. */
export function readSources(root: string, folders: readonly string[]): SourceFile[] {
  const patterns = folders.map((folder) => `${folder}/**/*.ts`);
  return globSync(patterns, { cwd: root }).map((path) => parseSource(path, readFileSync(`${root}/${path}`, 'utf8')));
}

export function parseSource(path: string, text: string): SourceFile {
  const code = withoutComments(text);
  return { path, code, imports: [...staticImports(path, code), ...dynamicImports(path, code)] };
}

/** The folder below `src/` a file belongs to: `wal` for `src/wal/receive/walreceiver.ts`. */
export function roomOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

export function isTest(path: string): boolean {
  return !path.startsWith('src/') || path.endsWith('.test.ts');
}

function staticImports(from: string, code: string): Import[] {
  const statements = code.matchAll(
    /^\s*(?:import|export)\s+(?<type>type\s)?(?:[^'"();]*?\sfrom\s+|[^'"();]*?\}\s*from\s*)?['"](?<target>[^'"]+)['"]/gm,
  );
  return [...statements].map(({ groups }) => importOf(from, groups?.['target'] ?? '', false, groups?.['type'] !== undefined));
}

function dynamicImports(from: string, code: string): Import[] {
  return [...code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)].map(([, target]) => importOf(from, target ?? '', true, false));
}

function importOf(from: string, target: string, dynamic: boolean, typeOnly: boolean): Import {
  const relative = target.startsWith('.');
  return { target: relative ? posix.join(dirname(from), target) : target, relative, dynamic, typeOnly };
}

/** Good enough for our own sources: line comments, block comments; strings are left alone unless they look like a comment after a blank. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[^]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');
}
