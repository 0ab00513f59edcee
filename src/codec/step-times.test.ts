import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { sealFile } from './files.ts';
import { createKeyPair } from './keys.ts';
import { beginStepTimes, endStepTimes, timed } from './step-times.ts';

test('each step of sealing is measured, and so is what is left', async () => {
  await using directory = await makeTemporaryDirectory();
  const from = join(directory.path, 'plain');
  await writeFile(from, randomBytes(4 * 2 ** 20));
  const { publicKey } = await createKeyPair(1024);
  beginStepTimes();
  await sealFile(from, join(directory.path, 'sealed'), { compression: { algorithm: 'zstd', level: 3 }, publicKey, plainHash: 'sha1' });
  const steps = endStepTimes() ?? {};
  for (const step of ['read', 'compress', 'encrypt', 'hash', 'write', 'rest'] as const) assert(step in steps, step);
});

test('a step is done also where nobody measures, and its failure comes through', () => {
  assert.equal(
    timed('read', () => 7),
    7,
  );
  assert.equal(endStepTimes(), undefined);
  beginStepTimes();
  assert.throws(
    () =>
      timed('read', () => {
        throw new Error('no');
      }),
    /no/,
  );
  assert('read' in (endStepTimes() ?? {}));
});
