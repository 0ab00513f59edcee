import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { CodecPool, runHere } from '../../codec/pool.ts';
import { Unsealer } from '../../codec/unseal.ts';
import { ChunkFeed } from './chunk-feed.ts';
import { PieceWindow, pieceBytes } from './piece-window.ts';
import { sealPieces } from './seal-pieces.job.ts';

const seal = { compression: { algorithm: 'snappy', level: 0 } } as const;
const contentBytes = 9 * pieceBytes + 12_345;
const content = Buffer.alloc(contentBytes);
for (let at = 0; at < contentBytes; at += 4) content.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 12, Math.min(at, contentBytes - 4));

async function unsealed(path: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  const unsealer = new Unsealer({ compression: 'snappy' }, (bytes) => void parts.push(Buffer.from(bytes)));
  await unsealer.update(await readFile(path));
  await unsealer.finish();
  return Buffer.concat(parts);
}

/** Whether to get ahead by way of the disk when it is asked for the n-th time. */
const manners: Readonly<Record<string, (n: number) => boolean>> = {
  'what does not fit into the window waits': () => false,
  'what does not fit into the window goes by way of the disk': () => true,
  'now this way and now that': (n) => n % 2 === 0,
};

for (const [title, mayRunAhead] of Object.entries(manners)) {
  test(`bytes come out of the other job as they went in: ${title}`, async () => {
    await using directory = await makeTemporaryDirectory();
    await using pool = new CodecPool(1);
    const [target, spill] = [join(directory.path, 'chunk'), join(directory.path, 'chunk.plain')];
    const { port1, port2 } = new MessageChannel();
    const input = { port: port2, spill, target, seal };
    const sealing = pool.run(sealPieces, input, { transfer: [port2] });
    const window = new PieceWindow(2, new AbortController().signal);
    let asked = 0;
    let spilled = 0;
    const feed = new ChunkFeed({
      port: port1,
      spill,
      window,
      mayRunAhead: () => {
        const may = mayRunAhead(asked++);
        if (may) spilled++;
        return may;
      },
    });
    for (let at = 0; at < contentBytes; at += 70_000) await feed.write(content.subarray(at, at + 70_000));
    feed.end();
    const sealed = await sealing;
    assert.equal(sealed.plainBytes, contentBytes);
    assert.equal(
      sealed.sealedSha256,
      createHash('sha256')
        .update(await readFile(target))
        .digest('hex'),
    );
    assert.ok((await unsealed(target)).equals(content));
    assert.equal(existsSync(spill), false);
    assert.equal(spilled > 0, mayRunAhead !== manners['what does not fit into the window waits']);
    const back = [window.take(), window.take(), window.take()];
    assert.deepEqual(
      back.map((piece) => piece?.byteLength),
      [pieceBytes, pieceBytes, undefined],
    );
  });
}

test('who waits for a buffer is told of the abort, and so is who waits for bytes', async () => {
  await using directory = await makeTemporaryDirectory();
  const stop = new AbortController();
  const { port1, port2 } = new MessageChannel();
  const [target, spill] = [join(directory.path, 'chunk'), join(directory.path, 'chunk.plain')];
  const feed = new ChunkFeed({ port: port1, spill, window: new PieceWindow(1, stop.signal), mayRunAhead: () => false });
  const waiting = assert.rejects(async () => feed.write(content), { message: 'enough' });
  stop.abort(new Error('enough'));
  await waiting;
  const sealing = runHere(sealPieces, { port: port2, spill, target, seal }, { signal: AbortSignal.timeout(20) });
  await assert.rejects(sealing, { name: 'TimeoutError' });
  assert.equal(existsSync(target), false);
  port1.close();
});

test('a reader that is gone ends the sealing', async () => {
  await using directory = await makeTemporaryDirectory();
  const { port1, port2 } = new MessageChannel();
  const input = { port: port2, spill: join(directory.path, 'x'), target: join(directory.path, 'chunk'), seal };
  const sealing = runHere(sealPieces, input);
  port1.close();
  await assert.rejects(sealing, { code: 'worker-died' });
});
