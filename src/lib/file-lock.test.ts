import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { FileLock } from './file-lock.ts';

let directory: string;
before(async () => (directory = await mkdtemp(join(tmpdir(), 'lock-'))));
after(() => rm(directory, { recursive: true }));

test('one holds the lock, until it lets go; the file tells what was written', async () => {
  const path = join(directory, 'handed on');
  const first = await FileLock.take(path);
  assert(first);
  await first.write('long ago\n');
  await first.write('now\n');
  assert.equal(await readFile(path, 'utf8'), 'now\n');
  assert.equal(await FileLock.take(path), undefined);
  const name = await first.name();
  await first.release();
  await using second = await FileLock.take(path);
  assert(second);
  assert.equal(await second.name(), name, 'who comes next knows the lock again');
});

test('a lock whose file was removed keeps nobody from a new one, which has another name', async () => {
  const path = join(directory, 'removed');
  await using first = await FileLock.take(path);
  await rm(path);
  await using second = await FileLock.take(path);
  assert(first && second);
  assert.notEqual(await second.name(), await first.name());
});

test('a copy of the file is another lock, with another name', async () => {
  await using original = await FileLock.take(join(directory, 'original'));
  await copyFile(join(directory, 'original'), join(directory, 'copy'));
  await using copy = await FileLock.take(join(directory, 'copy'));
  assert(original && copy);
  assert.notEqual(await copy.name(), await original.name());
});

test('the lock of a process that is killed is free at once', async () => {
  const path = join(directory, 'killed');
  const module = new URL(`file-lock${extname(import.meta.url)}`, import.meta.url).href;
  const script = `
    const { FileLock } = await import(${JSON.stringify(module)});
    globalThis.lock = await FileLock.take(${JSON.stringify(path)});
    console.log(await lock.name());
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [name] = (await once(createInterface(child.stdout), 'line')) as [string];
  assert.equal(await FileLock.take(path), undefined);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await using lock = await FileLock.take(path);
  assert(lock, 'no waiting');
  assert.equal(await lock.name(), name, 'the heir can tell that it was the same place');
});

test('what can be no lock is told', async () => {
  await assert.rejects(FileLock.take(join(directory, 'no such directory', 'lock')), { code: 'ENOENT' });
});
