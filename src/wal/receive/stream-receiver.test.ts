import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { systemClock } from '../../lib/clock.ts';
import type { ReplicationStream, StreamMessage } from '../../postgres/replication-stream.ts';
import { type FollowedWal, localDurability } from './durability.ts';
import { SegmentWriter } from './segment-writer.ts';
import { StreamReceiver } from './stream-receiver.ts';

const place = { timeline: 1, segmentBytes: 2 ** 20, startLsn: 0n };
const asking: StreamMessage = { kind: 'keepalive', serverEnd: 100n, replyRequested: true };
const nothingIsStored: FollowedWal = { durable: 0n, received() {}, async [Symbol.asyncDispose]() {} };

/** Has a server send some WAL and then ask for a reply every so often, until it goes away after a minute. Resolves to how long it was kept, in ms. */
async function keptFor(followed: FollowedWal, everyMs: number): Promise<number> {
  await using scratch = await makeTemporaryDirectory();
  await using writer = new SegmentWriter({ ...place, directory: scratch.path });
  let now = 0;
  const clock = { ...systemClock, monotonicMs: () => now };
  const stream: ReplicationStream = {
    async next() {
      if (now === 0) {
        now = 1;
        return { kind: 'wal', startLsn: 0n, serverEnd: 100n, bytes: Buffer.alloc(100) };
      }
      now += everyMs;
      return now > 60_000 ? undefined : asking;
    },
    end: async () => undefined,
    sendStatus() {},
    async [Symbol.asyncDispose]() {},
  };
  const receiver = new StreamReceiver({ stream, writer, followed, onMessage() {}, clock });
  await receiver.run().catch((error: unknown) => assert.match(String(error), /is being shut down, and waits for WAL to be stored/));
  return now;
}

test('a server that is to stop is let go after a while if its WAL cannot be stored', async () => {
  const ms = await keptFor(nothingIsStored, 100);
  assert.ok(ms >= 10_000 && ms < 11_000, `${ms} ms`);
});

test('one that only wants a sign of life from time to time is not, nor one whose WAL is safe', async () => {
  assert.ok((await keptFor(nothingIsStored, 1000)) > 60_000);
  assert.ok(
    (await keptFor(
      localDurability.follow(place, () => {}),
      100,
    )) > 60_000,
  );
});
