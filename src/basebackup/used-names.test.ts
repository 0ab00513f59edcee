import assert from 'node:assert/strict';
import { readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { Catalog } from '../catalog/catalog.ts';
import { SiteKeys } from '../catalog/keys.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { Spool } from '../transfer/spool.ts';
import { basebackupName } from './plan.ts';
import { reserveName } from './reserve-name.ts';
import { UsedNames } from './used-names.ts';

const moment = new Date('2026-11-30T12:34:56Z');
const { signal } = new AbortController();

describe('the name of a base backup', () => {
  let scratch: TemporaryDirectory;
  let names: UsedNames;
  const warnings: string[] = [];
  const file = () => join(scratch.path, 'names.json');
  const open = async () => {
    const log = { ...silentLog, warn: (_: object, message: string) => void warnings.push(message) };
    return (names = await UsedNames.open({ site: 'main', file: file(), log }));
  };
  /** Of a base backup that is taken, and deleted at once. */
  const nameAt = async (now: Date) => {
    const catalog = new Catalog(new MemoryStore(), new SiteKeys('main'));
    const deps = { catalog, spool: new Spool(scratch.path, 'main'), names, clock: { ...systemClock, now: () => now } };
    const { name, directory } = await reserveName(deps, signal);
    await rmdir(directory);
    return name;
  };

  beforeEach(async () => {
    scratch = await makeTemporaryDirectory();
    warnings.length = 0;
    await open();
  });
  afterEach(() => scratch[Symbol.asyncDispose]());

  test('is not that of one that has been deleted, not after a restart either', async () => {
    assert.equal(await nameAt(moment), '2026-11-30_12-34_0');
    assert.equal(await nameAt(moment), '2026-11-30_12-34_1');
    await open();
    assert.equal(await nameAt(moment), '2026-11-30_12-34_2');
  });

  test('nor that of one that another daemon took, and was only seen; nor where the clock was set back', async () => {
    await names.note(['2026-11-30_12-34_0', 'of some other program']);
    assert.equal(await nameAt(new Date(moment.getTime() + 400 * 86_400_000)), '2028-01-04_12-34_0');
    assert.equal(await nameAt(moment), '2026-11-30_12-34_1');
    assert.deepEqual(JSON.parse(await readFile(file(), 'utf8')), ['2026-11-30_12-34_0', '2028-01-04_12-34_0', '2026-11-30_12-34_1']);
  });

  test('of thousands the oldest are forgotten', async () => {
    const many = Array.from({ length: 5_001 }, (_, hour) => basebackupName(new Date(moment.getTime() + hour * 3_600_000), 0));
    await names.add(many);
    assert.deepEqual([names.has(many[0] ?? ''), names.has(many[1] ?? ''), names.has(many.at(-1) ?? '')], [false, true, true]);
  });

  test('of a file that cannot be understood nothing is taken, and that is told', async () => {
    for (const content of ['{"a":', '{}']) {
      await writeFile(file(), content);
      await open();
      assert.match(warnings.splice(0).join(), /^the names of earlier base backups cannot be read: /);
      assert.equal(await nameAt(moment), '2026-11-30_12-34_0');
    }
  });

  test('where they cannot be written nothing is reserved, and what was only seen is told once', async () => {
    names = await UsedNames.open({ site: 'main', file: join(scratch.path, 'nowhere', 'names.json'), log: silentLog });
    await assert.rejects(nameAt(moment), { code: 'file-unwritable' });
    const log = { ...silentLog, warn: (_: object, message: string) => void warnings.push(message) };
    const telling = await UsedNames.open({ site: 'main', file: join(scratch.path, 'nowhere', 'names.json'), log });
    for (const n of [1, 2]) await telling.note([basebackupName(moment, n)]);
    assert.match(warnings.join(), /^the names of base backups cannot be kept: ENOENT[^,]*, open [^,]*$/);
  });
});
