import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ProgramResult } from '../../src/lib/subprocess.ts';

/** How a command should have refused. */
export interface Refusal {
  /** Of the error; absent where the command prints none, such as for usage errors. */
  readonly code?: string | RegExp;
  /** Default: 1. */
  readonly exit?: number;
  /** What else must be said. */
  readonly says?: RegExp;
  readonly hint?: boolean;
}

const stackTrace = /^\s+at .+[:(]\d+:\d+\)?$/m;

/** Checks that the command named what is wrong, with what to do next, and ended as promised, without showing its insides. */
export function assertRefused(result: ProgramResult, { code, exit = 1, says, hint = code !== undefined }: Refusal, what = ''): void {
  const output = `${result.stdout}${result.stderr}`;
  const context = `${what}\n${output}`;
  assert.equal(result.code, exit, context);
  if (code !== undefined) assert.match(output, new RegExp(`\\b(${typeof code === 'string' ? code : code.source}): `), context);
  if (says) assert.match(output, says, context);
  if (hint) assert.match(output, /\bhint: \S/, context);
  assertNoStackTrace(output, context);
}

export function assertNoStackTrace(output: string, context = output): void {
  assert.doesNotMatch(output, stackTrace, context);
  assert.doesNotMatch(output, /this is a bug in pghoard|failed by a bug|\[object Object\]|undefined:/, context);
}

/** All that lies below a directory: path (each byte a character), kind, mode and content of each, for comparing before and after. */
export function snapshotOf(directory: string, below = ''): string[] {
  return readdirSync(pathOf(directory, below), { encoding: 'latin1' })
    .toSorted()
    .flatMap((name) => {
      const relative = join(below, name);
      const path = pathOf(directory, relative);
      const found = lstatSync(path);
      const mode = found.mode.toString(8);
      if (found.isDirectory()) return [`${relative}/ ${mode}`, ...snapshotOf(directory, relative)];
      if (found.isSymbolicLink()) return [`${relative} -> ${readlinkSync(path)}`];
      if (!found.isFile()) return [`${relative} ${mode} special`];
      return [`${relative} ${mode} ${createHash('sha1').update(readFileSync(path)).digest('hex')}`];
    });
}

/** Names need not be UTF-8. */
function pathOf(directory: string, relative: string): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(relative, 'latin1')]);
}
