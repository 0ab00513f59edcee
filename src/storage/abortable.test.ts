import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { abortable } from './abortable.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('items that were handed out are let go of while others follow', async () => {
  const refs: WeakRef<Uint8Array>[] = [];
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 20; i++) {
      const piece = new Uint8Array(1024);
      refs.push(new WeakRef(piece));
      yield piece;
    }
  }
  let kept = Number.POSITIVE_INFINITY;
  for await (const _ of abortable(pieces(), new AbortController().signal)) {
    if (refs.length < 20) continue;
    await new Promise(setImmediate);
    collectGarbage();
    kept = refs.filter((ref) => ref.deref() !== undefined).length;
  }
  assert.ok(kept <= 3, `${kept} of 20 are still there`);
});

async function* hanging(): AsyncGenerator<number> {
  yield 1;
  await new Promise<never>(() => {});
}

test('a source that hangs is left once the signal is aborted, be it while an item is waited for or while one is looked at', async () => {
  for (const when of [setImmediate, (abort: () => void) => abort()]) {
    const stop = new AbortController();
    const read = async () => {
      for await (const _ of abortable(hanging(), stop.signal)) when(() => stop.abort(new Error('stopped')));
    };
    await assert.rejects(read(), /stopped/);
  }
});

test('a source that fails passes its error on', async () => {
  async function* failing(): AsyncGenerator<number> {
    yield 1;
    throw new Error('broken');
  }
  await assert.rejects(async () => {
    for await (const _ of abortable(failing(), new AbortController().signal));
  }, /broken/);
});
