import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { bytesOf, collect, read } from '../contract-tools.ts';
import { LocalStore } from './driver.ts';

test('a short-lived object is there at every moment while it is replaced again and again, also for another process', async () => {
  await using directory = await makeTemporaryDirectory();
  const [writer, reader] = [new LocalStore({ directory: directory.path }), new LocalStore({ directory: directory.path })];
  const put = (text: string) => writer.put('lease/1', bytesOf(text), { metadata: {}, isShortLived: true });
  await put('0');
  const done = new AbortController();
  const incomplete: string[] = [];
  const looking = (async () => {
    let looks = 0;
    for (; !done.signal.aborted; looks++) {
      const listed = await collect(reader.list('lease/', { onIncomplete: (key) => void incomplete.push(key) }));
      assert.deepEqual(
        listed.map(({ key }) => key),
        ['lease/1'],
      );
    }
    return looks;
  })();
  for (let round = 1; round <= 150; round++) await put(String(round));
  done.abort();
  assert.ok((await looking) > 10);
  assert.deepEqual(incomplete, []);
  assert.equal(await read(reader, 'lease/1'), '150');
});
