import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from './package-root.ts';

/** Faults by number, and where each is tried: a file, and words of the name of a test there. */
export type FaultRows = Readonly<
  Record<number, { readonly fault: string; readonly tried: readonly (readonly [file: string, words: string])[] }>
>;

/** Every test that is named is there. */
export async function assertTried(rows: FaultRows): Promise<void> {
  for (const [row, { tried }] of Object.entries(rows)) {
    for (const [file, words] of tried) {
      const text = await readFile(join(packageRoot, file), 'utf8');
      assert.ok(text.includes(words), `${file} has no test with "${words}", which is to try fault ${row}`);
    }
  }
}
