import assert from 'node:assert/strict';
import { appendFile, chmod, mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { RestoreJournal } from './journal.ts';
import { parseJournal } from './journal-lines.ts';
import { restoreJournal } from './layout.ts';
import type { RestorePlan } from './plan.ts';
import type { UnpackOutput } from './unpack-object.job.ts';

/** As far as a journal looks at it. */
function planFor(dataDirectory: string, { backup = 'main/basebackup/a', parts = ['a', 'b', 'c'], tablespace = '/fast' } = {}): RestorePlan {
  const layout = { format: 'pghoard-bb-v2', dataDirectory, tablespaces: [{ name: 'fast', oid: 16_395, directory: tablespace }] };
  const objects = parts.map((key) => ({ key, storedBytes: 10 }));
  return { entry: { key: backup } as BasebackupEntry, layout, parts: objects } as unknown as RestorePlan;
}

const resume = (plan: RestorePlan) => RestoreJournal.resume(plan, { reuse: false });
const done = (root: string): UnpackOutput => ({ files: 2, plainBytes: 30, links: [{ root, relative: 'pg_log', target: '/var/log' }] });

async function begun(scratch: string, parts: readonly string[], reuse = false): Promise<{ plan: RestorePlan; path: string }> {
  const plan = planFor(scratch);
  await using journal = await RestoreJournal.create(plan, reuse);
  for (const part of parts) await journal.finish(part, done(scratch));
  return { plan, path: journal.path };
}

/** As if the machine had been started anew since. */
async function otherBoot(path: string): Promise<void> {
  await writeFile(path, (await readFile(path, 'utf8')).replace(/"boot":"[^"]*"/g, '"boot":"another"'));
}

test('what was finished is known after a kill, in the middle of a line too', async () => {
  await using scratch = await makeTemporaryDirectory();
  const { plan, path } = await begun(scratch.path, ['a'], true);
  await appendFile(path, '{"part":"b","files":1,"pl');
  await using journal = await resume(plan);
  assert.deepEqual([journal.finished('a'), journal.finished('b')], [done(scratch.path), undefined]);
  assert.deepEqual([journal.reuse, journal.isSetAside, journal.autoConf], [true, false, undefined]);
  await journal.noteSetAside();
  await journal.noteAutoConf("work_mem = '8MB'\n");
  await journal[Symbol.asyncDispose]();
  await using again = await resume(plan);
  assert.deepEqual([again.isSetAside, again.autoConf], [true, "work_mem = '8MB'\n"]);
});

test('after the machine was started anew only what had been made durable is believed', async () => {
  await using scratch = await makeTemporaryDirectory();
  const { plan, path } = await begun(scratch.path, []);
  {
    await using journal = await resume(plan);
    await journal.finish('a', done(scratch.path));
    // What is finished meanwhile may have come too late for it.
    await journal.makeDurable(async () => journal.finish('b', done(scratch.path)).then(() => true));
    await journal.makeDurable(async () => false);
  }
  await otherBoot(path);
  {
    await using journal = await resume(plan);
    assert.deepEqual(
      ['a', 'b'].map((key) => journal.finished(key)?.files),
      [2, undefined],
    );
    await journal.finish('b', done(scratch.path));
  }
  await using journal = await resume(plan);
  assert.equal(journal.finishedCount, 2);
});

const useless: [what: string, spoil: (path: string) => Promise<unknown>][] = [
  ['an empty one beside files', (path) => truncate(path).then(() => writeFile(join(path, '../PG_VERSION'), '15'))],
  ['garbage', (path) => writeFile(path, Buffer.from([0, 1, 2, 255, 10, 0, 10]))],
  ['one with a line too many', (path) => appendFile(path, '{"part":"b"}\n')],
  ['one of a newer version', async (path) => writeFile(path, (await readFile(path, 'utf8')).replace('"format":1', '"format":2'))],
  [
    'one with a link that leads out',
    (path) => appendFile(path, '{"part":"b","files":1,"plainBytes":1,"links":[[0,"../../etc/cron.d/x","/tmp/x"]]}\n'),
  ],
  [
    'one with a link into no directory of it',
    (path) => appendFile(path, '{"part":"b","files":1,"plainBytes":1,"links":[[2,"x","/tmp/x"]]}\n'),
  ],
  ['one that others may write to', (path) => chmod(path, 0o666)],
  [
    'a link to one',
    async (path) => {
      await writeFile(`${path}.other`, await readFile(path), { mode: 0o600 });
      await rm(path);
      await symlink(`${path}.other`, path);
    },
  ],
  ['a directory', async (path) => rm(path).then(() => mkdir(path))],
];
for (const [what, spoil] of useless) {
  test(`refused: ${what}`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const { plan, path } = await begun(scratch.path, ['a']);
    await spoil(path);
    await assert.rejects(resume(plan), { code: 'restore-journal-invalid', hint: /--overwrite/ });
  });
}

test('one that was stopped before its first line begins anew', async () => {
  await using scratch = await makeTemporaryDirectory();
  const { plan, path } = await begun(scratch.path, ['a']);
  await truncate(path);
  {
    await using journal = await resume(plan);
    assert.deepEqual([journal.finishedCount, journal.reuse], [0, false]);
  }
  await truncate(path);
  await writeFile(join(scratch.path, 'PG_VERSION'), '15');
  await using journal = await RestoreJournal.resume(plan, { reuse: true, untouched: scratch.path });
  assert.deepEqual([journal.reuse, journal.isSetAside], [true, false]);
});

test('refused: that of another base backup, of other objects, of other places', async () => {
  await using scratch = await makeTemporaryDirectory();
  await begun(scratch.path, ['a']);
  for (const other of [{ backup: 'main/basebackup/b' }, { parts: ['a', 'b'] }, { tablespace: '/slow' }]) {
    const resuming = resume(planFor(scratch.path, other));
    await assert.rejects(resuming, { code: 'restore-journal-foreign', hint: /--basebackup a .*--overwrite/ });
  }
});

test('refused: one that a running restore writes; a second restore cannot begin there either', async () => {
  await using scratch = await makeTemporaryDirectory();
  const plan = planFor(scratch.path);
  await using running = await RestoreJournal.create(plan, false);
  await assert.rejects(resume(plan), { code: 'target-in-use' });
  await assert.rejects(RestoreJournal.create(plan, false), { code: 'restore-write-failed' });
  await running.remove();
  await assert.rejects(readFile(join(scratch.path, restoreJournal)), { code: 'ENOENT' });
});

test('any text is a journal or refused by name', () => {
  const head = '{"format":1,"backup":"a","plan":"' + 'a'.repeat(64) + '","reuse":false}\n';
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.json(), fc.string(), fc.constant('{"boot":"x"}'))), fc.boolean(), (lines, hasHead) => {
      try {
        const text = (hasHead ? head : '') + lines.join('\n');
        const { bytes } = parseJournal(text, 1);
        assert.ok(bytes <= Buffer.byteLength(text));
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'restore-journal-invalid');
      }
    }),
  );
});
